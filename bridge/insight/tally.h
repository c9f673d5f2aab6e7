/* tally.h: API requests of each partition, counted in memory and written down by the roll-up's job every few
 * seconds.
 *
 * Counter "day.YYYY-MM-DD.api.requests" (UTC). A request that only reads writes nothing to the store for
 * being counted; what a crash takes is what was counted since the last pass. Thread: any. */
#ifndef CHASQUI_INSIGHT_TALLY_H
#define CHASQUI_INSIGHT_TALLY_H

#include "queue/store.h"

void tally_add(const char *part);
/* Moves what was counted into cs. */
void tally_flush(struct changes *cs);

#endif
