/* kv_gate.c: a list of open transactions under a mutex, and one condition for every change. */
#include "queue/base/clock.h"
#include "queue/base/error.h"
#include "queue/base/kv_gate.h"

/* Makes an open gate with nobody inside. */
void kv_gate_init(struct kv_gate *gate)
{
    *gate = (struct kv_gate){0};
    pthread_mutex_init(&gate->mutex, NULL);
    pthread_cond_init(&gate->changed, NULL);
}

/* Takes the gate down. */
void kv_gate_fini(struct kv_gate *gate)
{
    CHECK(gate->oldest == NULL && gate->alone_wanted == 0);
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->mutex);
}

/* Whether the calling thread has a pass. The list is short: at most the reader slots and one writer. */
static bool inside_locked(const struct kv_gate *gate)
{
    pthread_t self = pthread_self();

    for (const struct kv_pass *pass = gate->oldest; pass != NULL; pass = pass->next) {
        if (pthread_equal(pass->thread, self)) {
            return true;
        }
    }
    return false;
}

/* Goes in; waits while somebody wants to be alone, unless this thread is in already. */
void kv_gate_enter(struct kv_gate *gate, struct kv_pass *pass, bool reader)
{
    pthread_mutex_lock(&gate->mutex);
    while (gate->alone || (gate->alone_wanted > 0 && !inside_locked(gate))) {
        pthread_cond_wait(&gate->changed, &gate->mutex);
    }
    *pass = (struct kv_pass){
        .prev = gate->newest, .thread = pthread_self(), .since_ms = clock_mono_ms(), .reader = reader};
    if (gate->newest != NULL) {
        gate->newest->next = pass;
    } else {
        gate->oldest = pass;
    }
    gate->newest = pass;
    pthread_mutex_unlock(&gate->mutex);
}

/* Goes out; the last one out wakes who waits to be alone. */
void kv_gate_leave(struct kv_gate *gate, struct kv_pass *pass)
{
    pthread_mutex_lock(&gate->mutex);
    if (pass->prev != NULL) {
        pass->prev->next = pass->next;
    } else {
        CHECK(gate->oldest == pass);
        gate->oldest = pass->next;
    }
    if (pass->next != NULL) {
        pass->next->prev = pass->prev;
    } else {
        gate->newest = pass->prev;
    }
    if (gate->oldest == NULL && gate->alone_wanted > 0) {
        pthread_cond_broadcast(&gate->changed);
    }
    pthread_mutex_unlock(&gate->mutex);
}

/* Waits to be alone. */
bool kv_gate_shut(struct kv_gate *gate)
{
    bool possible;

    pthread_mutex_lock(&gate->mutex);
    possible = !inside_locked(gate);
    if (possible) {
        gate->alone_wanted++;
        while (gate->alone || gate->oldest != NULL) {
            pthread_cond_wait(&gate->changed, &gate->mutex);
        }
        gate->alone = true;
    }
    pthread_mutex_unlock(&gate->mutex);
    return possible;
}

/* Ends being alone. */
void kv_gate_open(struct kv_gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    CHECK(gate->alone && gate->alone_wanted > 0);
    gate->alone = false;
    gate->alone_wanted--;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

/* Walks from the oldest entry to the first reader. */
int64_t kv_gate_oldest_ms(struct kv_gate *gate)
{
    const struct kv_pass *pass;
    int64_t age = 0;

    pthread_mutex_lock(&gate->mutex);
    pass = gate->oldest;
    while (pass != NULL && !pass->reader) {
        pass = pass->next;
    }
    if (pass != NULL) {
        age = clock_mono_ms() - pass->since_ms;
    }
    pthread_mutex_unlock(&gate->mutex);
    return age > 0 ? age : 0;
}
