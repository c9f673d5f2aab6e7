/* calibration.h: where an account's own calibration of confidence is kept.
 *
 * KIND_SETTING "calibration" of a partition: {"stretch", "shift", "labels", "taken", "reason",
 * "error_before"?, "error_after"?, "fitted_at"}; without the record, or with taken false, what ships counts.
 * The labels are the feedback on answers: up confirms the first passage of the answer's turn, down rejects
 * it. Thread: any. */
#ifndef CHASQUI_KB_CALIBRATION_H
#define CHASQUI_KB_CALIBRATION_H

#include "kb/refit.h"
#include "queue/store.h"

#define KB_CALIBRATION_SETTING "calibration"

/* The partition's calibration, or KB_CALIBRATION_NONE. */
struct kb_calibration kb_calibration_read(struct snapshot *snap, const char *part);
/* The trace of the turn that a message came from, or that handed the message over; NULL if there is none, or
 * it is gone. New reference. */
json_t *kb_calibration_trace(struct snapshot *snap, const char *part, const char *message_id);
/* Fits anew if there are labels since the last time, and writes the record under its guard. *changed: it did.
 */
enum err kb_calibration_refit(struct snapshot *snap, const char *part, struct changes *cs,
                              bool *changed) MUST_CHECK;

#endif
