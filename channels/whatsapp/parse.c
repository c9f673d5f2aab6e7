/* parse.c: Meta's webhook taken apart: entries, changes, and the messages, statuses and errors in each value.
 *
 * All four levels may hold more than one item, of several numbers. Each item stands alone: what cannot be
 * understood becomes an INBOUND_BAD with the piece itself, what is new to us an INBOUND_OTHER, and neither
 * touches its neighbours. In the list messages come first, so that a batch of statuses never holds up a
 * customer. Source of the shapes: Meta, "Webhooks payload reference"; ids and times are documented as
 * strings, but numbers are seen too, so both are read. */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "channels/channels_int.h"
#include "channels/contact.h"
#include "channels/whatsapp/whatsapp.h"

#include "queue/base/codec.h"

#define OBJECT       "whatsapp_business_account"
#define ID_MAX       512           /* longest platform id we take */
#define CONTACTS_MAX 1000          /* of one value that each message looks at: no batch is larger */
#define MILLISECONDS 1000000000000 /* a time from here on is in ms already (some resellers) */

/* The list while it grows, and what holds for all items of one change. */
struct parsing {
    struct inbound_list *out;
    size_t room;
    const char *own_number; /* this channel's phone_number_id */
    const char *number;     /* the one the change is about, if another */
    const char *account;    /* id of the business account of the entry, NULL if it has none */
    const json_t *contacts;
};

void inbound_list_free(struct inbound_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        json_decref(list->items[i].body);
    }
    free(list->items);
    *list = (struct inbound_list){0};
}

/* Takes body (stolen) as the next item. */
static void item_add(struct parsing *p, enum inbound_kind kind, json_t *body)
{
    if (p->out->count == p->room) {
        p->room = p->room == 0 ? 8 : p->room * 2;
        p->out->items = xrealloc(p->out->items, p->room * sizeof *p->out->items);
    }
    if (p->number != NULL) {
        jx_set_str(body, "address", p->number);
    }
    p->out->items[p->out->count++] = (struct inbound_item){.kind = kind, .body = body};
}

/* Something that breaks Meta's own rules; raw is borrowed. */
static void bad_add(struct parsing *p, const char *reason, const json_t *raw)
{
    json_t *body = json_object();

    jx_set_str(body, "reason", reason);
    jx_set(body, "raw", raw != NULL ? json_incref((json_t *)raw) : json_null());
    item_add(p, INBOUND_BAD, body);
}

/* Something that is no message and no status; value is borrowed. */
static void other_add(struct parsing *p, const char *field, const json_t *value)
{
    json_t *body = json_object();

    jx_set_str(body, "field", field);
    jx_set(body, "value", value != NULL ? json_incref((json_t *)value) : json_null());
    if (p->account != NULL) {
        jx_set_str(body, "account", p->account);
    }
    item_add(p, INBOUND_OTHER, body);
}

/* An id that should be text: text, or a number's digits. False if it is neither, empty or too long. */
static bool id_text(const json_t *value, char out[ID_MAX + 1])
{
    if (json_is_integer(value)) {
        snprintf(out, ID_MAX + 1, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return true;
    }
    size_t len = json_string_length(value);
    if (len == 0 || len > ID_MAX || strlen(json_string_value(value)) != len) {
        return false;
    }
    memcpy(out, json_string_value(value), len + 1);
    return true;
}

/* A time in seconds (text or number) as ms; 0 if it is none. */
static int64_t time_of(const json_t *value)
{
    int64_t seconds = json_is_integer(value) ? (int64_t)json_integer_value(value) : 0;

    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        char *end = NULL;
        errno = 0;
        seconds = strtoll(text, &end, 10);
        if (errno != 0 || end == text || *end != '\0') {
            return 0;
        }
    }
    if (seconds <= 0 || seconds > INT64_MAX / 1000000) {
        return 0;
    }
    return seconds >= MILLISECONDS ? seconds : seconds * 1000;
}

json_t *whatsapp_error_of(const json_t *errors)
{
    const json_t *first = json_array_get(errors, 0);
    char code[ID_MAX + 1];

    if (!json_is_object(first)) {
        return NULL;
    }
    json_t *error = json_object();
    jx_set_str(error, "code", id_text(json_object_get(first, "code"), code) ? code : "unknown");
    jx_set_str(error, "title", jx_str_or(first, "title", jx_str_or(first, "message", "")));
    const char *detail = jx_str(jx_obj(first, "error_data"), "details");
    detail = detail != NULL ? detail : jx_str(first, "error_data");
    detail = detail != NULL ? detail : jx_str(first, "details");
    jx_set_str(error, "detail", detail != NULL ? detail : jx_str_or(first, "message", ""));
    return error;
}

/* ---- who wrote ---- */

/* Adds a phone or BSUID, whichever the text is; some senders put a BSUID where a phone belongs. */
static void identity_add(json_t *identities, const char *text)
{
    char phone[24];
    json_t *identity = NULL;

    if (text == NULL || text[0] == '\0') {
        return;
    }
    if (contact_is_bsuid(text)) {
        identity = contact_identity_new("bsuid", text);
    } else if (contact_phone_normalise(text, phone)) {
        identity = contact_identity_new("phone", phone);
    }
    for (size_t i = 0; identity != NULL && i < json_array_size(identities); i++) {
        if (json_equal(json_array_get(identities, i), identity)) {
            json_decref(identity);
            return;
        }
    }
    if (identity != NULL) {
        jx_push(identities, identity);
    }
}

json_t *whatsapp_recipient_of(const json_t *answer)
{
    const json_t *contact = json_array_get(jx_arr(answer, "contacts"), 0);
    json_t *identities = json_array();

    identity_add(identities, jx_str(contact, "wa_id"));
    identity_add(identities, jx_str(contact, "user_id"));
    return identities;
}

static bool same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* The entry of contacts[] about the sender of this message; NULL if none names him. */
static const json_t *profile_of(const struct parsing *p, const json_t *message)
{
    const char *from = jx_str(message, "from");
    const char *user = jx_str(message, "from_user_id");
    size_t i;
    json_t *contact;

    json_array_foreach (p->contacts, i, contact) {
        if (i == CONTACTS_MAX) {
            break;
        }
        const char *wa_id = jx_str(contact, "wa_id");
        const char *user_id = jx_str(contact, "user_id");
        if (same_text(wa_id, from) || same_text(user_id, user) || same_text(user_id, from) ||
            same_text(wa_id, user)) {
            return contact;
        }
    }
    return NULL;
}

/* All identities that this message shows of its sender. */
static json_t *identities_of(const json_t *message, const json_t *profile)
{
    json_t *list = json_array();
    const json_t *system = jx_obj(message, "system");
    const char *username = jx_str(jx_obj(profile, "profile"), "username");

    /* a system message tells of a new number or id of the same person: it goes first */
    identity_add(list, jx_str(system, "wa_id"));
    identity_add(list, jx_str(system, "user_id"));
    identity_add(list, jx_str(system, "parent_user_id"));
    identity_add(list, jx_str(message, "from"));
    identity_add(list, jx_str(message, "from_user_id"));
    identity_add(list, jx_str(message, "from_parent_user_id"));
    identity_add(list, jx_str(system, "previous_user_id"));
    identity_add(list, jx_str(profile, "wa_id"));
    identity_add(list, jx_str(profile, "user_id"));
    identity_add(list, jx_str(profile, "parent_user_id"));
    if (json_array_size(list) > 0 && username != NULL && username[0] != '\0') {
        jx_push(list, contact_identity_new("username", username[0] == '@' ? username + 1 : username));
    }
    return list;
}

/* ---- items ---- */

static void message_add(struct parsing *p, const json_t *message)
{
    char id[ID_MAX + 1];

    if (!id_text(json_object_get(message, "id"), id)) {
        bad_add(p, "a message without an id", message);
        return;
    }
    if (jx_str(message, "group_id") != NULL) {
        other_add(p, "group_message", message);
        return;
    }
    const json_t *profile = profile_of(p, message);
    json_t *identities = identities_of(message, profile);
    if (json_array_size(identities) == 0) {
        json_decref(identities);
        bad_add(p, "a message without a sender", message);
        return;
    }
    json_t *body = json_object();
    jx_set(body, "identities", identities);
    jx_set_str(body, "name", jx_str_or(jx_obj(profile, "profile"), "name", ""));
    jx_set_str(body, "platform_id", id);
    jx_set_int(body, "platform_ms", time_of(json_object_get(message, "timestamp")));
    if (id_text(json_object_get(jx_obj(message, "context"), "id"), id)) {
        jx_set_str(body, "reply_to", id);
    }
    whatsapp_message_body(message, body);
    item_add(p, INBOUND_MESSAGE, body);
}

/* Meta's word for a status in ours; NULL for those that say nothing about a message's way. */
static const char *status_word(const char *word)
{
    static const struct {
        const char *theirs, *ours;
    } words[] = {{"sent", "sent"},
                 {"delivered", "delivered"},
                 {"read", "read"},
                 {"played", "read"},
                 {"failed", "failed"}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].theirs, word) == 0) {
            return words[i].ours;
        }
    }
    return NULL;
}

static void status_add(struct parsing *p, const json_t *status)
{
    char id[ID_MAX + 1];
    const char *word = jx_str(status, "status");

    if (!id_text(json_object_get(status, "id"), id) || word == NULL) {
        bad_add(p, "a status without an id or a word", status);
        return;
    }
    if (status_word(word) == NULL) {
        other_add(p, "status", status);
        return;
    }
    json_t *body = json_object();
    jx_set_str(body, "platform_id", id);
    jx_set_str(body, "status", status_word(word));
    jx_set_int(body, "platform_ms", time_of(json_object_get(status, "timestamp")));
    json_t *error = whatsapp_error_of(jx_arr(status, "errors"));
    if (error != NULL) {
        jx_set(body, "error", error);
    }
    if (jx_str(status, "biz_opaque_callback_data") != NULL) {
        jx_set_str(body, "outbox", jx_str(status, "biz_opaque_callback_data"));
    }
    if (jx_obj(status, "pricing") != NULL) {
        jx_set(body, "pricing", json_incref(jx_obj(status, "pricing")));
    }
    item_add(p, INBOUND_STATUS, body);
}

/* Calls add for each object of an array; anything else in it, or in its place, is bad. Returns how many items
 * there were. */
static size_t each_of(struct parsing *p, const json_t *array, const char *what,
                      void (*add)(struct parsing *p, const json_t *item))
{
    size_t i;
    json_t *item;

    if (array == NULL || json_is_null(array)) {
        return 0;
    }
    if (!json_is_array(array)) {
        bad_add(p, what, array);
        return 1;
    }
    json_array_foreach (array, i, item) {
        if (json_is_object(item)) {
            add(p, item);
        } else {
            bad_add(p, what, item);
        }
    }
    return json_array_size(array);
}

static void value_error_add(struct parsing *p, const json_t *error)
{
    other_add(p, "errors", error);
}

/* The value of the field "messages". */
static void messages_value(struct parsing *p, const json_t *value)
{
    char number[ID_MAX + 1];
    size_t found = 0;

    p->contacts = jx_arr(value, "contacts");
    if (id_text(json_object_get(jx_obj(value, "metadata"), "phone_number_id"), number) &&
        strcmp(number, p->own_number) != 0) {
        p->number = number;
    }
    found += each_of(p, json_object_get(value, "messages"), "a message that is no object", message_add);
    found += each_of(p, json_object_get(value, "statuses"), "a status that is no object", status_add);
    found += each_of(p, json_object_get(value, "errors"), "an error that is no object", value_error_add);
    if (found == 0) {
        other_add(p, "messages", value);
    }
    p->number = NULL;
    p->contacts = NULL;
}

/* One message that the business wrote on the phone. */
static void echo_add(struct parsing *p, const json_t *message)
{
    char id[ID_MAX + 1];
    json_t *identities = json_array();

    identity_add(identities, jx_str(message, "to"));
    identity_add(identities, jx_str(message, "to_user_id"));
    identity_add(identities, jx_str(message, "to_parent_user_id"));
    if (!id_text(json_object_get(message, "id"), id) || json_array_size(identities) == 0) {
        json_decref(identities);
        bad_add(p, "an echo without an id or a recipient", message);
        return;
    }
    json_t *body = json_object();
    jx_set(body, "identities", identities);
    jx_set_str(body, "platform_id", id);
    jx_set_int(body, "platform_ms", time_of(json_object_get(message, "timestamp")));
    whatsapp_message_body(message, body);
    item_add(p, INBOUND_ECHO, body);
}

/* A customer's choice about marketing messages. */
static void choice_add(struct parsing *p, const json_t *choice)
{
    const char *value = jx_str_or(choice, "value", "");
    json_t *identities = json_array();

    identity_add(identities, jx_str(choice, "wa_id"));
    identity_add(identities, jx_str(choice, "user_id"));
    identity_add(identities, jx_str(choice, "parent_user_id"));
    bool known = strcmp(value, "stop") == 0 || strcmp(value, "resume") == 0 || strcmp(value, "signup") == 0;
    if (json_array_size(identities) == 0 || !known) {
        json_decref(identities);
        other_add(p, "user_preferences", choice);
        return;
    }
    json_t *body = json_object();
    jx_set(body, "identities", identities);
    jx_set_bool(body, "out", strcmp(value, "stop") == 0);
    jx_set_int(body, "platform_ms", time_of(json_object_get(choice, "timestamp")));
    item_add(p, INBOUND_CHOICE, body);
}

/* True for a call that the customer begins: it opens the window as a message does. */
static bool is_customers_call(const json_t *call)
{
    return strcmp(jx_str_or(call, "event", ""), "connect") == 0 &&
           strcmp(jx_str_or(call, "direction", "USER_INITIATED"), "USER_INITIATED") == 0;
}

/* One call. What the business began and how calls end is noted only. */
static void call_add(struct parsing *p, const json_t *call)
{
    char id[ID_MAX + 1];
    const json_t *profile = profile_of(p, call);
    json_t *identities = identities_of(call, profile);

    if (!is_customers_call(call) || !id_text(json_object_get(call, "id"), id) ||
        json_array_size(identities) == 0) {
        json_decref(identities);
        other_add(p, "calls", call);
        return;
    }
    json_t *body = json_object();
    jx_set(body, "identities", identities);
    jx_set_str(body, "name", jx_str_or(jx_obj(profile, "profile"), "name", ""));
    jx_set_str(body, "platform_id", id);
    jx_set_int(body, "platform_ms", time_of(json_object_get(call, "timestamp")));
    jx_set_str(body, "type", "call");
    jx_set_str(body, "text", "[call]");
    jx_set_bool(body, "wants_turn", false);
    item_add(p, INBOUND_MESSAGE, body);
}

/* The fields besides "messages" that have items of their own. */
static const struct item_field {
    const char *field, *list, *fault;
    void (*add)(struct parsing *p, const json_t *item);
} item_fields[] = {
    {"smb_message_echoes", "message_echoes", "an echo that is no object", echo_add},
    {"user_preferences", "user_preferences", "a preference that is no object", choice_add},
    {"calls", "calls", "a call that is no object", call_add},
};

/* Takes such a field apart; false if it is none or holds no items. */
static bool item_field_add(struct parsing *p, const char *field, const json_t *value)
{
    char number[ID_MAX + 1];
    size_t found = 0;

    for (size_t i = 0; i < sizeof item_fields / sizeof *item_fields; i++) {
        if (strcmp(item_fields[i].field, field) != 0) {
            continue;
        }
        if (id_text(json_object_get(jx_obj(value, "metadata"), "phone_number_id"), number) &&
            strcmp(number, p->own_number) != 0) {
            p->number = number;
        }
        p->contacts = jx_arr(value, "contacts");
        found =
            each_of(p, json_object_get(value, item_fields[i].list), item_fields[i].fault, item_fields[i].add);
        p->number = NULL;
        p->contacts = NULL;
    }
    return found > 0;
}

static void change_add(struct parsing *p, const json_t *change)
{
    const char *field = jx_str(change, "field");
    const json_t *value = json_object_get(change, "value");

    if (field == NULL || value == NULL) {
        bad_add(p, "a change without field or value", change);
    } else if (item_field_add(p, field, value)) {
        return;
    } else if (strcmp(field, "messages") != 0) {
        other_add(p, field, value);
    } else if (!json_is_object(value)) {
        bad_add(p, "a value that is no object", change);
    } else {
        messages_value(p, value);
    }
}

static void entry_add(struct parsing *p, const json_t *entry)
{
    char account[ID_MAX + 1];

    p->account = id_text(json_object_get(entry, "id"), account) ? account : NULL;
    if (each_of(p, json_object_get(entry, "changes"), "a change that is no object", change_add) == 0) {
        other_add(p, "entry", entry);
    }
    p->account = NULL;
}

/* Messages to the front, order kept within both groups. */
static void messages_first(struct inbound_list *list)
{
    struct inbound_item *sorted = xcalloc(list->count, sizeof *sorted);
    size_t at = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < list->count; i++) {
            if ((list->items[i].kind == INBOUND_MESSAGE) == (pass == 0)) {
                sorted[at++] = list->items[i];
            }
        }
    }
    free(list->items);
    list->items = sorted;
}

/* The value of the escape \\uXXXX at text, or -1. */
static int escape_at(const char *text, const char *end)
{
    uint8_t bytes[2];

    if (end - text < 6 || text[0] != '\\' || text[1] != 'u' ||
        !hex_decode(text + 2, 4, bytes, sizeof bytes)) {
        return -1;
    }
    return bytes[0] << 8 | bytes[1];
}

/* Copies the text with halves of surrogate pairs that stand alone replaced by U+FFFD: names and captions that
 * were cut in the middle of an emoji come so. */
static void halves_repair(struct buf *out, const char *text, size_t size)
{
    const char *end = text + size;

    while (text < end) {
        const char *next = memchr(text, '\\', (size_t)(end - text));
        next = next != NULL ? next : end;
        buf_add(out, text, (size_t)(next - text));
        text = next;
        int unit = escape_at(text, end);
        int low = unit >= 0 ? escape_at(text + 6, end) : -1;
        bool pair = unit >= 0xd800 && unit <= 0xdbff && low >= 0xdc00 && low <= 0xdfff;
        bool half = !pair && unit >= 0xd800 && unit <= 0xdfff;
        size_t taken = pair ? 12 : unit >= 0 ? 6 : 2;
        taken = taken < (size_t)(end - text) ? taken : (size_t)(end - text);
        buf_add(out, half ? "\\ufffd" : text, taken);
        text += taken;
    }
}

/* Parses the body; if that fails, once more with broken characters replaced, so that one of them does not
 * cost a whole batch. */
static enum err parse_body(const char *body, size_t size, json_t **root)
{
    struct buf halves, whole;

    if (jx_parse_lenient(body, size, root) == ERR_OK) {
        return ERR_OK;
    }
    buf_init(&halves, size);
    buf_init(&whole, 3 * size);
    halves_repair(&halves, body, size);
    utf8_repair(&whole, buf_str(&halves), halves.len);
    enum err rc =
        buf_ok(&halves) && buf_ok(&whole) ? jx_parse_lenient(buf_str(&whole), whole.len, root) : ERR_INVALID;
    buf_fini(&halves);
    buf_fini(&whole);
    return rc;
}

enum err whatsapp_parse(const json_t *channel, const char *body, size_t size, struct inbound_list *out)
{
    struct parsing p = {.out = out, .own_number = jx_str_or(channel, "phone_number_id", "")};
    json_t *root = NULL;

    *out = (struct inbound_list){0};
    if (parse_body(body, size, &root) != ERR_OK) {
        return ERR_INVALID;
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return ERR_INVALID;
    }
    if (!same_text(jx_str(root, "object"), OBJECT)) {
        other_add(&p, "object", root);
    } else {
        each_of(&p, json_object_get(root, "entry"), "an entry that is no object", entry_add);
        messages_first(out);
    }
    json_decref(root);
    return ERR_OK;
}
