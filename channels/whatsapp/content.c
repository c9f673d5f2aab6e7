/* content.c: what can be known to be wrong before Meta is asked: fields of a channel, and of a message's
 * content. */
#include <string.h>

#include "channels/text.h"
#include "channels/whatsapp/whatsapp.h"

#define CAPTION_MAX 1024

/* ---- fields of a channel ---- */

static bool is_number_id(const char *value)
{
    size_t len = strspn(value, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-");

    return value[len] == '\0' && len <= 64;
}

/* "v26.0" */
static bool is_version(const char *value)
{
    if (value[0] != 'v') {
        return false;
    }
    size_t major = strspn(value + 1, "0123456789");
    const char *rest = value + 1 + major;
    size_t minor = rest[0] == '.' ? strspn(rest + 1, "0123456789") : 0;

    return major >= 1 && major <= 3 && minor >= 1 && minor <= 2 && rest[1 + minor] == '\0';
}

/* An http or https URL of a host, perhaps a port and a path; no user, query or fragment. */
static bool is_base_url(const char *value)
{
    const char *host = strncmp(value, "https://", 8) == 0  ? value + 8
                       : strncmp(value, "http://", 7) == 0 ? value + 7
                                                           : "";

    return host[0] != '\0' && host[0] != '/' && strpbrk(value, " ?#@\\\"<>") == NULL && strlen(value) <= 1024;
}

static const struct {
    const char *field;
    bool (*ok)(const char *value);
    const char *rule;
} field_rules[] = {
    {"phone_number_id", is_number_id, "must be the number's id: at most 64 letters and digits"},
    {"business_account_id", is_number_id, "must be the account's id: at most 64 letters and digits"},
    {"graph_version", is_version, "must be a Graph version such as v26.0"},
    {"graph_url", is_base_url, "must be an http or https URL without user, query or fragment"},
};

bool whatsapp_field_ok(const char *field, const char *value, struct buf *why)
{
    for (size_t i = 0; i < sizeof field_rules / sizeof *field_rules; i++) {
        if (strcmp(field_rules[i].field, field) == 0 && !field_rules[i].ok(value)) {
            buf_addf(why, "%s %s", field, field_rules[i].rule);
            return false;
        }
    }
    return true;
}

/* ---- content of a message ---- */

/* NULL if the content is fine, else what is wrong with it and (in *field) where. */
typedef const char *(*content_fn)(const json_t *content, const char **field);

static bool has_text(const json_t *obj, const char *key)
{
    const char *text = jx_str(obj, key);

    return text != NULL && text[0] != '\0';
}

/* Media is named by exactly one of an uploaded id and a link. */
static const char *check_media(const json_t *content, const char **field)
{
    const char *link = jx_str(content, "link");

    *field = "/link";
    if (has_text(content, "id") + has_text(content, "link") + has_text(content, "file_id") != 1) {
        return "needs one of id, link or file_id";
    }
    if (link != NULL && strncmp(link, "http://", 7) != 0 && strncmp(link, "https://", 8) != 0) {
        return "must be an http or https URL";
    }
    *field = "/caption";
    if (jx_str(content, "caption") != NULL && text_units(jx_str(content, "caption")) > CAPTION_MAX) {
        return "must be at most 1024 characters";
    }
    return NULL;
}

static const char *check_location(const json_t *content, const char **field)
{
    double latitude = jx_num(content, "latitude", 1000);
    double longitude = jx_num(content, "longitude", 1000);

    *field = "/latitude";
    if (latitude < -90 || latitude > 90) {
        return "must be a number from -90 to 90";
    }
    *field = "/longitude";
    return longitude < -180 || longitude > 180 ? "must be a number from -180 to 180" : NULL;
}

static const char *check_template(const json_t *content, const char **field)
{
    *field = "/name";
    if (!has_text(content, "name")) {
        return "is required";
    }
    *field = "/language/code";
    if (!has_text(jx_obj(content, "language"), "code")) {
        return "is required";
    }
    const json_t *components = json_object_get(content, "components");
    *field = "/components";
    return components != NULL && !json_is_array(components) ? "must be a list" : NULL;
}

static const char *check_interactive(const json_t *content, const char **field)
{
    *field = "/type";
    if (!has_text(content, "type")) {
        return "is required";
    }
    *field = "/action";
    if (jx_obj(content, "action") == NULL) {
        return "is required";
    }
    *field = "/body/text";
    return jx_obj(content, "body") != NULL && !has_text(jx_obj(content, "body"), "text") ? "is required"
                                                                                         : NULL;
}

static const char *check_reaction(const json_t *content, const char **field)
{
    *field = "/message_id";
    if (!has_text(content, "message_id")) {
        return "is required";
    }
    *field = "/emoji";
    return jx_str(content, "emoji") == NULL ? "must be an emoji, or empty text to take the reaction back"
                                            : NULL;
}

static const char *check_contacts(const json_t *content, const char **field)
{
    const json_t *cards = json_is_array(content) ? content : jx_arr(content, "contacts");

    *field = "/contacts";
    return json_array_size(cards) == 0 ? "must be a list of at least one contact card" : NULL;
}

static const struct {
    const char *type;
    content_fn check;
} content_rules[] = {
    {"image", check_media},       {"video", check_media},
    {"audio", check_media},       {"document", check_media},
    {"sticker", check_media},     {"location", check_location},
    {"template", check_template}, {"interactive", check_interactive},
    {"reaction", check_reaction}, {"contacts", check_contacts},
};

static enum err refuse(const char **field, const char *where, struct buf *why, const char *reason)
{
    *field = where;
    buf_addf(why, "%s", reason);
    return ERR_INVALID;
}

enum err whatsapp_content_check(const char *type, const char *text, const json_t *content, const char **field,
                                struct buf *why)
{
    if (strcmp(type, "text") == 0) {
        bool blank = text == NULL || text[strspn(text, " \t\r\n")] == '\0';
        return blank ? refuse(field, "/text", why, "text is required") : ERR_OK;
    }
    for (size_t i = 0; i < sizeof content_rules / sizeof *content_rules; i++) {
        const char *where = "";
        if (strcmp(content_rules[i].type, type) != 0) {
            continue;
        }
        if (!json_is_object(content) && !json_is_array(content)) {
            return refuse(field, "", why, "the content of a message of this type is required");
        }
        const char *wrong = content_rules[i].check(content, &where);
        return wrong != NULL ? refuse(field, where, why, wrong) : ERR_OK;
    }
    return refuse(field, "/type", why, "is none of the types that can be sent");
}
