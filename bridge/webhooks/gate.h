/* gate.h: who may send to an endpoint now, so that a slow or dead receiver costs nobody but itself.
 *
 * For each endpoint: how many attempts are in flight (a limit that grows with success and halves with
 * failure), how many a second, and a breaker that opens when most attempts of the last five minutes failed
 * and lets one probe through when its time is up. Over all of them a cap, of which endpoints that are not
 * well get at most one place each once half is taken. What is turned away is told how long to wait; nothing
 * is queued here, so memory is one small record for each endpoint that was busy within the last hour. State
 * is of the process: after a restart every breaker is closed. Thread: any. */
#ifndef CHASQUI_WEBHOOKS_GATE_H
#define CHASQUI_WEBHOOKS_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct gate;

enum gate_result {
    GATE_GOOD, /* delivered */
    GATE_BAD,  /* failed */
    GATE_CUT,  /* says nothing about the endpoint: never sent, or cancelled by us */
};

enum gate_breaker { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct gate_view {
    enum gate_breaker breaker;
    int64_t open_ms; /* how long the breaker stays open, 0 if it is not */
    unsigned in_flight, limit;
};

/* most: attempts in flight over all endpoints; rate: a second for each endpoint, 0: unlimited. */
struct gate *gate_new(unsigned most, unsigned rate);
void gate_free(struct gate *gate);
/* 0: go, and gate_leave must follow. Else the milliseconds to wait before asking again. */
int64_t gate_enter(struct gate *gate, const char *endpoint);
/* As gate_enter, but GATE_SOON, and no place in the line, if nothing is wrong but that all places of an
 * endpoint are taken that answers quickly: who can wait for one of them to end may do so and ask again. */
#define GATE_SOON (-1)
int64_t gate_try(struct gate *gate, const char *endpoint);
void gate_leave(struct gate *gate, const char *endpoint, enum gate_result result, int64_t took_ms);
/* Somebody says that the endpoint is well again: the breaker closes. */
void gate_reset(struct gate *gate, const char *endpoint);
void gate_look(struct gate *gate, const char *endpoint, struct gate_view *out);
const char *gate_breaker_name(enum gate_breaker breaker);

#endif
