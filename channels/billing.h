/* billing.h: messages the platform charges for, counted once each, when a status first tells the price.
 *
 * Counter of a partition: "billable.2026-11-21T03:15.AGENT_ID.CATEGORY" (the quarter of an hour in UTC in
 * which it was told). Meta's statuses carry "pricing": {"billable", "type":
 * regular|free_customer_service|free_entry_point, "category"}, with sent and once more with delivered or
 * read; "billable" is due to go, the type says it as well (Meta, "Pricing updates", 2025). The price stands
 * on the message from then on, so that a second status counts nothing; both are one change-set under the
 * message's revision. Thread: any. */
#ifndef CHASQUI_CHANNELS_BILLING_H
#define CHASQUI_CHANNELS_BILLING_H

#include <stdbool.h>

#include "queue/base/json.h"
#include "queue/store.h"

#define BILLING_PREFIX "billable."

/* Notes the price on the message (changed in place, written by the caller under its guard) and counts it.
 * False: there is none, or it is there already. */
bool billing_note(struct changes *cs, const char *part, json_t *msg, const json_t *pricing);

#endif
