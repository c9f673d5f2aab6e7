/* figures.h: counters of the API for /metrics. Thread: any. */
#ifndef CHASQUI_API_FIGURES_H
#define CHASQUI_API_FIGURES_H

#include <stdint.h>

#include "queue/base/buf.h"

struct figures;
struct figures *figures_new(void);
void figures_free(struct figures *figures);
void figures_answer(struct figures *figures, int status, int64_t took_us);
/* In Prometheus text form. */
void figures_show(struct figures *figures, struct buf *out);

#endif
