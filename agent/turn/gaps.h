/* gaps.h: questions that the knowledge did not answer, noted in the change-set of the turn that met them.
 *
 * KIND_GAP record: {"id", "agent_id", "conversation_id", "contact_id", "message_id" (the question's),
 * "question", "confidence", "outcome": "fallback|handoff|answer" (answered without being certain),
 * "created_at"}. Whether a document answers it by now is asked when the gaps are read. Thread: the turn's. */
#ifndef CHASQUI_AGENT_GAPS_H
#define CHASQUI_AGENT_GAPS_H

#include "queue/store.h"

struct turn;
/* Adds the turn's gap to cs, if it is one. */
void gaps_note(const struct turn *turn, struct changes *cs);

#endif
