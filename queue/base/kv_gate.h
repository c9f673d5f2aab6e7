/* kv_gate.h: who has a transaction open, and the one moment when nobody has.
 *
 * LMDB's map may be moved only while no transaction of the process is open. A plain read-write lock does
 * not fit: a thread may hold several read transactions, and one that prefers writers would lock such a
 * thread out from itself. So the gate keeps a list of those inside. While somebody waits to be alone,
 * newcomers wait too, except a thread that is inside already: it must be let through or it would never leave.
 * The list also tells the age of the oldest reader. Private to kv.c. Thread: any. */
#ifndef CHASQUI_BASE_KV_GATE_H
#define CHASQUI_BASE_KV_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* One stay inside; embedded in what stays. Entered and left by any thread, counted as the entering one's. */
struct kv_pass {
    struct kv_pass *prev;
    struct kv_pass *next;
    pthread_t thread;
    int64_t since_ms; /* monotonic */
    bool reader;      /* counts for the oldest reader's age */
};

struct kv_gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct kv_pass *oldest; /* in order of entry */
    struct kv_pass *newest;
    unsigned alone_wanted; /* threads that wait to be alone, or are */
    bool alone;            /* one of them is */
};

void kv_gate_init(struct kv_gate *gate);
/* Nobody is inside. */
void kv_gate_fini(struct kv_gate *gate);

void kv_gate_enter(struct kv_gate *gate, struct kv_pass *pass, bool reader);
void kv_gate_leave(struct kv_gate *gate, struct kv_pass *pass);

/* Waits until nobody is inside and keeps everybody out until kv_gate_open. False, at once, if the calling
 * thread is inside itself: it would wait for ever. */
bool kv_gate_shut(struct kv_gate *gate);
void kv_gate_open(struct kv_gate *gate);

/* Milliseconds since the oldest reader inside entered; 0 if there is none. */
int64_t kv_gate_oldest_ms(struct kv_gate *gate);

#endif
