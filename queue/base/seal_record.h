/* seal_record.h: a secret as it stands in a record: {"value": sealed text, "last4"?: how it ends}; and as it
 * leaves:
 * {"set": bool, "last4"?}. Thread: any. */
#ifndef CHASQUI_BASE_SEAL_RECORD_H
#define CHASQUI_BASE_SEAL_RECORD_H

#include "queue/base/error.h"
#include "queue/base/json.h"

/* context: what the value is bound to, see crypto.h. Short secrets do not show how they end. New reference.
 */
enum err seal_record(const char *context, const char *secret, json_t **out) MUST_CHECK;
/* sealed may be NULL: not set. New reference. */
json_t *seal_record_public(const json_t *sealed);

#endif
