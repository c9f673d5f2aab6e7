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

/* Media is named by exactly one of an uploaded id, a link and a file of ours. */
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
    return NULL;
}

static const char *check_captioned(const json_t *content, const char **field)
{
    const char *wrong = check_media(content, field);

    if (wrong == NULL && jx_str(content, "caption") != NULL &&
        text_units(jx_str(content, "caption")) > CAPTION_MAX) {
        *field = "/caption";
        wrong = "must be at most 1024 characters";
    }
    return wrong;
}

/* Voice messages and stickers. */
static const char *check_uncaptioned(const json_t *content, const char **field)
{
    const char *wrong = check_media(content, field);

    if (wrong == NULL && json_object_get(content, "caption") != NULL) {
        *field = "/caption";
        wrong = "is not possible with this type";
    }
    return wrong;
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

static const struct {
    const char *type;
    content_fn check;
} content_rules[] = {
    {"image", check_captioned},
    {"video", check_captioned},
    {"audio", check_uncaptioned},
    {"document", check_captioned},
    {"sticker", check_uncaptioned},
    {"location", check_location},
    {"template", whatsapp_template_fault},
    {"interactive", whatsapp_interactive_fault},
    {"reaction", check_reaction},
    {"contacts", whatsapp_contacts_fault},
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
        if (content_rules[i].check == check_captioned && text != NULL && text_units(text) > CAPTION_MAX) {
            return refuse(field, "/text", why, "is the caption and must be at most 1024 characters");
        }
        const char *wrong = content_rules[i].check(content, &where);
        return wrong != NULL ? refuse(field, where, why, wrong) : ERR_OK;
    }
    return refuse(field, "/type", why, "is none of the types that can be sent");
}
