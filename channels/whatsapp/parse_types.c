/* parse_types.c: one customer's message as the agent reads it: a row of tbl_types.h names the reader of each
 * type.
 *
 * The platform's own object stays in "content" as it came; what does not belong to the type (referral of an
 * advertisement, forwarding, errors of lost media) is added to it. */
#include <string.h>

#include "channels/whatsapp/whatsapp.h"

#define TEXT_BYTES_MAX 262144 /* of the text an agent reads; a post has at most 3 MB */

/* A reader sees the type's own object (NULL if it is missing) and the whole message. */
typedef void (*reader_fn)(const json_t *own, const json_t *message, struct buf *out);

static void add_text(struct buf *out, const char *text)
{
    if (text != NULL) {
        buf_adds(out, text);
    }
}

static void nothing(const json_t *own, const json_t *message, struct buf *out)
{
    (void)own;
    (void)message;
    (void)out;
}

static void text_body(const json_t *own, const json_t *message, struct buf *out)
{
    (void)message;
    add_text(out, jx_str(own, "body"));
}

static void media_caption(const json_t *own, const json_t *message, struct buf *out)
{
    (void)message;
    add_text(out, jx_str(own, "caption"));
}

static void document_caption(const json_t *own, const json_t *message, struct buf *out)
{
    const char *name = jx_str(own, "filename");

    media_caption(own, message, out);
    if (out->len == 0 && name != NULL) {
        buf_addf(out, "[document: %s]", name);
    }
}

static void location_text(const json_t *own, const json_t *message, struct buf *out)
{
    const char *name = jx_str(own, "name");
    const char *address = jx_str(own, "address");

    (void)message;
    add_text(out, name);
    if (name != NULL && address != NULL) {
        buf_adds(out, ", ");
    }
    add_text(out, address);
}

static void contacts_names(const json_t *own, const json_t *message, struct buf *out)
{
    size_t i;
    json_t *card;

    (void)message;
    json_array_foreach (own, i, card) {
        const char *name = jx_str(jx_obj(card, "name"), "formatted_name");
        if (name != NULL) {
            buf_adds(out, out->len > 0 ? ", " : "");
            buf_adds(out, name);
        }
    }
}

static void interactive_title(const json_t *own, const json_t *message, struct buf *out)
{
    static const char *const kinds[] = {"button_reply", "list_reply"};

    (void)message;
    for (size_t i = 0; out->len == 0 && i < sizeof kinds / sizeof *kinds; i++) {
        add_text(out, jx_str(jx_obj(own, kinds[i]), "title"));
    }
    if (out->len == 0) {
        add_text(out, jx_str(jx_obj(own, "nfm_reply"), "body"));
    }
    if (out->len == 0) {
        add_text(out, jx_str(jx_obj(own, "call_permission_reply"), "response"));
    }
}

static void button_text(const json_t *own, const json_t *message, struct buf *out)
{
    (void)message;
    add_text(out, jx_str_or(own, "text", jx_str_or(own, "payload", "")));
}

static void order_text(const json_t *own, const json_t *message, struct buf *out)
{
    (void)message;
    add_text(out, jx_str(own, "text"));
    if (out->len == 0 && own != NULL) {
        buf_addf(out, "[order of %zu items]", json_array_size(jx_arr(own, "product_items")));
    }
}

static void system_body(const json_t *own, const json_t *message, struct buf *out)
{
    (void)message;
    add_text(out, jx_str(own, "body"));
}

static void unsupported_text(const json_t *own, const json_t *message, struct buf *out)
{
    const char *kind = jx_str(own, "type");

    (void)message;
    if (kind != NULL) {
        buf_addf(out, "[a message of a kind that this channel cannot show: %s]", kind);
    }
}

static void edit_text(const json_t *own, const json_t *message, struct buf *out);

static const struct type_row {
    const char *wire, *stored;
    reader_fn read;
    bool wants_turn;
    const char *fallback;
} types[] = {
#define X(wire, stored, read, wants_turn, fallback) {wire, stored, read, wants_turn, fallback},
#include "channels/whatsapp/tbl_types.h"
#undef X
};

static const struct type_row *type_row(const char *wire)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].wire, wire) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

/* The new text: that of the message inside, of whatever type it is (but no edit of an edit). */
static void edit_text(const json_t *own, const json_t *message, struct buf *out)
{
    const json_t *inner = jx_obj(own, "message");
    const char *wire = jx_str_or(inner, "type", "");
    const struct type_row *row = type_row(wire);

    (void)message;
    if (row != NULL && row->read != edit_text) {
        row->read(json_object_get(inner, wire), inner, out);
    }
}

/* A copy of the type's own object with what else the message says; NULL if there is nothing to keep. New
 * reference. */
static json_t *content_of(const json_t *own, const json_t *message, bool plain)
{
    static const char *const extras[] = {"referral", "errors", "origin"};
    const json_t *context = jx_obj(message, "context");
    json_t *content = json_object();

    if (json_is_array(own)) {
        jx_set(content, "items", json_deep_copy(own));
    } else if (json_is_object(own) && !plain) {
        json_object_update(content, (json_t *)own);
    }
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
        json_t *extra = json_object_get(message, extras[i]);
        if (extra != NULL) {
            jx_set(content, extras[i], json_incref(extra));
        }
    }
    if (jx_bool(context, "forwarded", false) || jx_bool(context, "frequently_forwarded", false)) {
        jx_set_bool(content, "forwarded", true);
    }
    if (jx_obj(context, "referred_product") != NULL) {
        jx_set(content, "referred_product", json_incref(jx_obj(context, "referred_product")));
    }
    if (json_object_size(content) == 0) {
        json_decref(content);
        return NULL;
    }
    return content;
}

/* A type that no row has: kept whole. */
static void foreign_body(const char *wire, const json_t *message, json_t *body)
{
    struct buf text;

    buf_init(&text, TEXT_BYTES_MAX);
    buf_addf(&text, "[a message of a kind that this channel cannot show: %.64s]", wire);
    jx_set_str(body, "type", "unsupported");
    jx_set_str(body, "text", buf_str(&text));
    jx_set(body, "content", json_deep_copy(message));
    jx_set_bool(body, "wants_turn", true);
    buf_fini(&text);
}

void whatsapp_message_body(const json_t *message, json_t *body)
{
    const char *wire = jx_str_or(message, "type", "");
    const struct type_row *row = type_row(wire);
    struct buf text;

    if (row == NULL) {
        foreign_body(wire[0] != '\0' ? wire : "no type", message, body);
        return;
    }
    const json_t *own = json_object_get(message, wire);
    buf_init(&text, TEXT_BYTES_MAX);
    row->read(own, message, &text);
    jx_set_str(body, "type", row->stored);
    jx_set_str(body, "text", text.len > 0 ? buf_str(&text) : row->fallback);
    json_t *content = content_of(own, message, row->read == text_body);
    if (content != NULL) {
        jx_set(body, "content", content);
    }
    jx_set_bool(body, "wants_turn", row->wants_turn && (text.len > 0 || row->fallback[0] != '\0'));
    buf_fini(&text);
}
