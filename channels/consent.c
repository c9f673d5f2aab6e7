/* consent.c: who does not want marketing. The contact's record says so ("opt_out": {"marketing": {"at",
 * "by"}}), whether the customer wrote a word of tbl_consent.h, chose it in the platform, or the platform
 * refused a template for it. */
#include <string.h>
#include <strings.h>

#include "channels/channels_int.h"
#include "channels/contact.h"

#include "queue/base/clock.h"

static const struct {
    const char *word;
    bool out;
} words[] = {
#define X(word, out) {word, out},
#include "channels/tbl_consent.h"
#undef X
};

bool consent_word(const char *text, bool *out)
{
    const char *start = text + strspn(text, " \t\r\n\"'");
    size_t len = strlen(start);

    while (len > 0 && strchr(" \t\r\n.!\"'", start[len - 1]) != NULL) {
        len--;
    }
    for (size_t i = 0; len > 0 && i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].word) == len && strncasecmp(words[i].word, start, len) == 0) {
            *out = words[i].out;
            return true;
        }
    }
    return false;
}

bool consent_out(const json_t *contact)
{
    return jx_obj(jx_obj(contact, "opt_out"), "marketing") != NULL;
}

void consent_set(struct changes *cs, const char *part, json_t *contact, bool out, const char *by)
{
    if (out == consent_out(contact)) {
        return;
    }
    if (out) {
        json_t *how = json_object();
        jx_set_time(how, "at", clock_wall_ms());
        jx_set_str(how, "by", by);
        jx_set(contact, "opt_out", json_object());
        jx_set(jx_obj(contact, "opt_out"), "marketing", how);
    } else {
        json_object_del(contact, "opt_out");
    }
    jx_set_time(contact, "updated_at", clock_wall_ms());
    changes_put(cs, KIND_CONTACT, part, jx_str(contact, "id"), contact);
    changes_add(cs, part, out ? "contacts.opted_out" : "contacts.opted_in", 1);
}

enum err consent_take(struct changes *cs, struct snapshot *snap, const char *part, const json_t *body)
{
    json_t *contact = NULL;
    enum err rc = contact_resolve(cs, snap, part, jx_arr(body, "identities"), jx_str(body, "name"), &contact);

    if (rc == ERR_OK) {
        consent_set(cs, part, contact, jx_bool(body, "out", true), "platform");
        json_decref(contact);
    }
    return rc;
}
