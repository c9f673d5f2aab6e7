/* confidence.h: the calibrated probability that the first hit answers the question. Thread: any. */
#ifndef CHASQUI_KB_CONFIDENCE_H
#define CHASQUI_KB_CONFIDENCE_H

#include "kb/rank.h"

/* Between 0 and 1. */
double kb_confidence(const double signals[KB_SIGNAL_COUNT]);

#endif
