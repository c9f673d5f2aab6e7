/* contact.h: people as sets of identities.
 *
 * A phone number is one identity, a business-scoped user id (BSUID) another, a username a third; any may be
 * missing or arrive later. KIND_IDENTITY "type:value" points to the contact; two identities seen together in
 * one message that point to different contacts merge them (the older one stays). Nothing keys on the phone.
 * Contact record: {"id", "name", "identities": [{"type": "phone|bsuid|username|email|external", "value"}],
 * "metadata": {}, "opt_out"?: {"marketing": {"at", "by"}}, "created_at", "updated_at"}. Thread: any. */
#ifndef CHASQUI_CHANNELS_CONTACT_H
#define CHASQUI_CHANNELS_CONTACT_H

#include "queue/base/json.h"
#include "queue/store.h"

/* Digits with an optional '+', spaces, dashes, dots and brackets -> "+digits" (7 to 15 digits, not beginning
 * with 0). False if not a number. */
bool contact_phone_normalise(const char *text, char out[24]);
/* {"type", "value"} from what an API caller wrote as "to": a phone, a BSUID ("US.1349..."), or "type:value".
 * NULL if none. */
json_t *contact_identity_parse(const char *text);

/* New reference in *contact. ERR_NOTFOUND. */
enum err contact_find(struct snapshot *snap, const char *part, const char *type, const char *value,
                      json_t **contact, uint64_t *rev) MUST_CHECK;
/* The contact of these identities (array of {"type","value"}), created, extended or merged as needed; its
 * record and guards are added to cs. name may be NULL. New reference in *contact. */
enum err contact_resolve(struct changes *cs, struct snapshot *snap, const char *part,
                         const json_t *identities, const char *name, json_t **contact) MUST_CHECK;
/* Takes away the records by which the contact is found: whoever writes from these addresses later is somebody
 * new. The contact's own record stays as it is; its write is the guard. */
void contact_forget(struct changes *cs, struct snapshot *snap, const char *part, const json_t *contact);
/* The value of the contact's first identity of that type, NULL if none. */
const char *contact_identity(const json_t *contact, const char *type);

#endif
