/* refit.h: an account's own calibration of confidence, fitted on what became of its answers.
 *
 * The weights that ship with the program (confidence.c) fit every business about equally well. With enough
 * labels of one business, the log odds they give are stretched and shifted to its own: two numbers, so that
 * few labels cannot lead far astray. A fit counts only if it would have helped on labels it had not seen.
 * Thread: any. */
#ifndef CHASQUI_KB_REFIT_H
#define CHASQUI_KB_REFIT_H

#include <stdbool.h>
#include <stddef.h>

#define KB_REFIT_LABELS 200  /* fewer fit worse than what ships: expected error .10 at 50 labels */
#define KB_REFIT_MOST   2000 /* the newest ones that are worth looking at */

struct kb_calibration {
    double stretch, shift; /* log odds = stretch * log odds of what ships + shift */
};
#define KB_CALIBRATION_NONE ((struct kb_calibration){1.0, 0.0})

struct kb_label {
    double confidence; /* as the shipped weights gave it */
    bool right;        /* the answer was confirmed; false: rejected or corrected */
};

/* A fit and the reason to take it or not. Errors are expected calibration errors on labels that the fit they
 * were measured with had not seen. */
struct kb_refit {
    struct kb_calibration calibration; /* KB_CALIBRATION_NONE unless taken */
    double error_before, error_after;
    size_t labels;
    bool taken;
    const char *reason; /* one sentence; static */
};
void kb_refit(const struct kb_label *labels, size_t count, struct kb_refit *out);

/* Applies it to what the shipped weights gave; 0 and 1 stay, and everything if it is not sane. */
double kb_calibrate(const struct kb_calibration *calibration, double confidence);
/* Expected calibration error over 15 bins of equal width. */
double kb_calibration_error(const struct kb_label *labels, size_t count,
                            const struct kb_calibration *calibration);
/* False for numbers no fit of ours gives: whoever reads a stored calibration asks first. */
bool kb_calibration_sane(const struct kb_calibration *calibration);

#endif
