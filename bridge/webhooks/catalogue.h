/* catalogue.h: for every event type its JSON Schema and an example, out of tbl_events.h and tbl_event_data.h.
 * Thread: any. */
#ifndef CHASQUI_WEBHOOKS_CATALOGUE_H
#define CHASQUI_WEBHOOKS_CATALOGUE_H

#include "queue/base/json.h"

#define CATALOGUE_SINCE "v1.4" /* API version that all types came with */

/* JSON Schema (2020-12) of the whole body that endpoints get. New reference. */
json_t *catalogue_schema(const char *type);
/* A body that fits the schema. New reference. */
json_t *catalogue_example(const char *type);

#endif
