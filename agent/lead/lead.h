/* lead.h: what a contact told us about buying: the agent's lead fields, filled, checked, scored.
 *
 * Settings of an agent ("settings": {"leads"}): {"enabled", "fields": [{"name", "label"?, "type":
 * "text|email|phone|number|choice|date|bool", "choices"?, "required"?, "pattern"?, "score"?}], "qualify":
 * {"required"?: [name], "min_score"?, "rules"?: [{"field", "op": "eq|ne|gt|lt|in|contains|exists", "value",
 * "score"?}]}}. Record: {"id", "agent_id", "contact_id", "conversation_id", "status":
 * "new|qualified|won|lost", "fields": {}, "score", "created_at", "updated_at", "qualified_at"|null,
 * "notes"?}. One lead for each contact and agent that is not won or lost. Values are checked by code, whoever
 * gave them (a model, a flow, the API): phones become E.164, addresses are lower-cased in the domain. Events:
 * lead.created when the record begins, lead.qualified the first time it meets the rules; each in the same
 * change-set. Thread: any. */
#ifndef CHASQUI_AGENT_LEAD_LEAD_H
#define CHASQUI_AGENT_LEAD_LEAD_H

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

/* Merges values into the lead of this conversation's contact, begun if there is none; guards included. New
 * reference in *lead. ERR_INVALID: *field names the value ("/email"), why a sentence fit to be said to a
 * customer or a model; nothing was added. */
enum err lead_collect(struct changes *cs, struct snapshot *snap, const char *part, const json_t *agent,
                      const json_t *conversation, const json_t *values, json_t **lead, const char **field,
                      struct buf *why) MUST_CHECK;
/* Checks one value by its field's rules: the normalised value as a new reference, NULL if it is refused (why
 * says what is expected). */
json_t *lead_value(const json_t *field_row, const char *text, struct buf *why);

/* The section "leads" of an agent's settings, as it would be stored: ERR_INVALID: *field is a JSON pointer
 * inside it (good until the thread's next call here). */
enum err lead_settings_check(const json_t *leads, const char **field, struct buf *why) MUST_CHECK;
bool lead_enabled(const json_t *agent);
/* Changes of a lead by the API: {"fields"?, "status"?, "notes"?}; null removes a field. The agent's rules
 * hold as for lead_collect; lead is changed in place only on ERR_OK. */
enum err lead_change(struct changes *cs, struct snapshot *snap, const char *part, const json_t *agent,
                     json_t *lead, uint64_t rev, const json_t *body, const char **field,
                     struct buf *why) MUST_CHECK;
/* Removes a lead; the contact may become another one. */
enum err lead_remove(struct changes *cs, struct snapshot *snap, const char *part, const json_t *lead,
                     uint64_t rev) MUST_CHECK;
/* What a text says about itself: {"name": text} for each field of type email and phone of which it holds
 * exactly one value. New reference. */
json_t *lead_spot(const json_t *agent, const char *text);

#endif
