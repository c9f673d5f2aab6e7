/* pace.c: token buckets, so that the platform's limits are kept and not run into: one for each number, one
 * for each number and customer.
 *
 * Who finds a number's bucket empty gets a place in its line: a ticket with the moment at which a token will
 * be there, and that token is taken out of the bucket at once, which may go below nothing. So those who wait
 * leave in the order in which they came, each is looked at once more, and a newcomer cannot take what they
 * wait for. Templates stand in a line of their own (a bucket of their own beside the number's) and leave the
 * number's last fifth alone, so that a campaign of thousands does not stand before a reply; who finds that
 * fifth touched when his ticket is due goes to the end of the line.
 *
 * A number whose platform asks for patience (a limit of the number or the account, usage near a limit) is
 * held as a whole until a moment; tickets from before mean nothing then, or all would leave at the end of the
 * hold. Buckets and tickets live in memory: after a restart they are full and none, and the platform's own
 * refusal (which is waited out) is the second line. A bucket that is full again is the same as none, so the
 * table is bounded: when it is full of buckets, full ones are thrown out, and if there are none, the newcomer
 * is let through. Who finds no room for a ticket waits without one. Source of the figures: Meta's
 * "Throughput" (80 a second by default) and "Pair rate limits" (1 in 6 s, bursts of 45). One lock; held for a
 * look-up. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "channels/channels_int.h"

#include "queue/base/codec.h"
#include "queue/base/option.h"

#define PAIR_REFILL_MS 6000
#define USUAL_RATE     80    /* messages a second of a number that was not upgraded */
#define BUCKETS        65536 /* a power of two */
#define PROBES         16
#define TICKETS        65536 /* a power of two */
#define TICKET_LATE_MS 60000 /* a ticket that was not used so long after its moment is gone */
#define BULK_LEAVES    5     /* templates leave the last of so many parts of a number's bucket alone */

/* A bucket: milli-tokens at a time. */
struct bucket {
    uint64_t key; /* 0: free */
    int64_t milli, at_ms;
    int64_t hold_ms; /* nothing leaves before this moment */
    unsigned holds;  /* how often the channel was held, as far as this bucket knows */
};

/* A message's place in a line: from this moment on it may go. */
struct ticket {
    uint64_t key; /* 0: free */
    int64_t at_ms;
    unsigned holds; /* as its number's when it was given */
};

static struct {
    pthread_mutex_t lock;
    struct bucket *table;
    struct ticket *tickets; /* NULL until somebody has to wait */
} pace = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What a bucket holds at most, and how long one token takes. */
struct rate {
    int64_t capacity, refill_us;
};
static const struct rate holder = {1, 1000}; /* of the entries that only hold a channel */

static uint64_t key_of(const char *first, const char *second)
{
    uint64_t high = crc32_of(first, strlen(first)), low = crc32_of(second, strlen(second));
    uint64_t key = high << 32 ^ low * 0x9e3779b97f4a7c15u;

    return key != 0 ? key : 1;
}

/* Brings a bucket to the present. True if it is full. */
static bool refill(struct bucket *bucket, const struct rate *rate, int64_t now_ms)
{
    int64_t gained = (now_ms - bucket->at_ms) * 1000 * 1000 / rate->refill_us;

    if (gained > 0) {
        bucket->milli += gained;
        bucket->at_ms = now_ms;
    }
    if (bucket->milli >= rate->capacity * 1000) {
        bucket->milli = rate->capacity * 1000;
        bucket->at_ms = now_ms;
        return true;
    }
    return false;
}

/* The bucket of a key, a new full one if there is room; NULL if there is none. */
static struct bucket *bucket_of(uint64_t key, const struct rate *rate, int64_t now_ms)
{
    struct bucket *place = NULL;

    for (size_t i = 0; i < PROBES; i++) {
        struct bucket *each = &pace.table[(key + i) & (BUCKETS - 1)];
        if (each->key == key) {
            refill(each, rate, now_ms);
            return each;
        }
        bool free_now = each->key == 0 || (now_ms - each->at_ms > 600000 && each->hold_ms <= now_ms);
        if (place == NULL && free_now) {
            place = each;
        }
    }
    if (place != NULL) {
        *place = (struct bucket){.key = key, .milli = rate->capacity * 1000, .at_ms = now_ms};
    }
    return place;
}

/* How long until a bucket holds a token. */
static int64_t wait_of(const struct bucket *bucket, const struct rate *rate)
{
    if (bucket == NULL || bucket->milli >= 1000) {
        return 0;
    }
    return (1000 - bucket->milli) * rate->refill_us / 1000 / 1000 + 1;
}

/* The table, made at the first call. */
static void table_ready(void)
{
    if (pace.table == NULL) {
        pace.table = xcalloc(BUCKETS, sizeof *pace.table);
    }
}

/* The rate of a number: the option's, or the platform's own where the option is not below the usual one. */
static struct rate number_rate(int64_t per_second)
{
    int64_t option = option_int(OPT_NUMBER_RATE);
    int64_t rate = per_second > 0 && option >= USUAL_RATE && per_second > option ? per_second : option;

    return (struct rate){rate, rate > 0 ? 1000000 / rate : 0};
}

/* The place of a ticket with this key, or a free one; NULL: there is neither. */
static struct ticket *ticket_place(uint64_t key, int64_t now_ms)
{
    struct ticket *place = NULL;

    for (size_t i = 0; i < PROBES; i++) {
        struct ticket *each = &pace.tickets[(key + i) & (TICKETS - 1)];
        if (each->key == key) {
            return each;
        }
        if (place == NULL && (each->key == 0 || each->at_ms + TICKET_LATE_MS < now_ms)) {
            place = each;
        }
    }
    return place;
}

/* What one look at a number's line needs. */
struct line {
    struct bucket *number, *templates; /* templates: NULL if the table has no room */
    struct rate rate, bulk;
    uint64_t key;   /* of the ticket; 0: none is kept */
    unsigned holds; /* of the channel */
    int64_t now_ms;
};

/* The message's ticket, NULL if it has none that counts. */
static struct ticket *ticket_of(const struct line *line)
{
    struct ticket *ticket =
        line->key != 0 && pace.tickets != NULL ? ticket_place(line->key, line->now_ms) : NULL;

    return ticket != NULL && ticket->key == line->key && ticket->holds == line->holds &&
                   line->now_ms <= ticket->at_ms + TICKET_LATE_MS
               ? ticket
               : NULL;
}

/* Gives the message a ticket for then. False: there is no room for one. */
static bool ticket_give(const struct line *line, int64_t at_ms)
{
    if (line->key == 0) {
        return false;
    }
    if (pace.tickets == NULL) {
        pace.tickets = xcalloc(TICKETS, sizeof *pace.tickets);
    }
    struct ticket *place = ticket_place(line->key, line->now_ms);
    if (place != NULL) {
        *place = (struct ticket){.key = line->key, .at_ms = at_ms, .holds = line->holds};
    }
    return place != NULL;
}

static void pay(struct bucket *bucket)
{
    if (bucket != NULL) {
        bucket->milli -= 1000;
    }
}

/* A bucket that hears of a hold owes nothing any more: the tickets that it owed for are void. */
static void settle_hold(struct bucket *bucket, unsigned holds)
{
    if (bucket != NULL && bucket->holds != holds) {
        bucket->milli = bucket->milli < 0 ? 0 : bucket->milli;
        bucket->holds = holds;
    }
}

/* How long a message that is no template has to wait; 0: it has paid. What it takes is missing to the
 * templates, too. */
static int64_t reply_wait(struct line *line)
{
    struct ticket *ticket = ticket_of(line);

    if (ticket != NULL && ticket->at_ms > line->now_ms) {
        return ticket->at_ms - line->now_ms;
    }
    if (ticket != NULL) {
        ticket->key = 0; /* paid when it was given */
        return 0;
    }
    int64_t wait = wait_of(line->number, &line->rate);
    if (wait == 0 || ticket_give(line, line->now_ms + wait)) {
        pay(line->number);
        pay(line->templates);
    }
    return wait;
}

/* The same for a template. Its ticket is for its own line; the number is paid when it leaves. */
static int64_t template_wait(struct line *line)
{
    struct ticket *ticket = ticket_of(line);
    int64_t spared = line->rate.capacity * 1000 / BULK_LEAVES;

    if (ticket != NULL && ticket->at_ms > line->now_ms) {
        return ticket->at_ms - line->now_ms;
    }
    int64_t wait = ticket != NULL ? 0 : wait_of(line->templates, &line->bulk);
    if (wait == 0 && line->number->milli >= spared && line->number->milli >= 1000) {
        pay(line->number);
        if (ticket != NULL) {
            ticket->key = 0;
        } else {
            pay(line->templates);
        }
        return 0;
    }
    if (wait ==
        0) { /* others were quicker: behind all that wait, and not before the number has enough again */
        int64_t missing = spared > 1000 ? spared - line->number->milli : 1000 - line->number->milli;
        int64_t until = missing * line->rate.refill_us / 1000 / 1000 + 1;
        wait = wait_of(line->templates, &line->bulk);
        wait = wait > until ? wait : until;
    }
    if (ticket_give(line, line->now_ms + wait)) {
        pay(line->templates);
    }
    return wait;
}

/* How long a message has to wait for its number's sake; 0: it may go, and the number has been paid. */
static int64_t number_wait(const struct pace_wish *wish, unsigned holds, int64_t now_ms)
{
    struct line line = {.rate = number_rate(wish->per_second), .holds = holds, .now_ms = now_ms};

    if (line.rate.capacity <= 0) {
        return 0;
    }
    line.bulk = line.rate;
    line.bulk.capacity -= line.rate.capacity / BULK_LEAVES;
    line.key = wish->message_id != NULL ? key_of(wish->channel_id, wish->message_id) : 0;
    line.number = bucket_of(key_of(wish->channel_id, ""), &line.rate, now_ms);
    line.templates = bucket_of(key_of(wish->channel_id, "templates"), &line.bulk, now_ms);
    settle_hold(line.number, holds);
    settle_hold(line.templates, holds);
    if (line.number == NULL) {
        return 0;
    }
    return wish->is_template && line.templates != NULL ? template_wait(&line) : reply_wait(&line);
}

int64_t pace_take(const struct pace_wish *wish, int64_t now_ms)
{
    int64_t burst = option_int(OPT_PAIR_BURST);
    struct rate pair = {burst, PAIR_REFILL_MS * 1000};

    pthread_mutex_lock(&pace.lock);
    table_ready();
    struct bucket *held = bucket_of(key_of(wish->channel_id, "hold"), &holder, now_ms);
    struct bucket *by_pair =
        burst > 0 ? bucket_of(key_of(wish->channel_id, wish->contact_id), &pair, now_ms) : NULL;
    int64_t wait = wait_of(by_pair, &pair);
    int64_t hold = held != NULL && held->hold_ms > now_ms ? held->hold_ms - now_ms : 0;
    wait = wait > hold ? wait : hold;
    if (wait == 0) {
        wait = number_wait(wish, held != NULL ? held->holds : 0, now_ms);
        if (wait == 0) {
            pay(by_pair);
        }
    }
    pthread_mutex_unlock(&pace.lock);
    return wait;
}

void pace_hold(const char *channel_id, int64_t ms, int64_t now_ms)
{
    pthread_mutex_lock(&pace.lock);
    table_ready();
    struct bucket *held = bucket_of(key_of(channel_id, "hold"), &holder, now_ms);
    if (held != NULL && held->hold_ms < now_ms + ms) {
        held->hold_ms = now_ms + ms;
        held->holds++;
    }
    pthread_mutex_unlock(&pace.lock);
}

void pace_release(const char *channel_id)
{
    pthread_mutex_lock(&pace.lock);
    table_ready();
    struct bucket *held = bucket_of(key_of(channel_id, "hold"), &holder, 0);
    if (held != NULL) {
        held->hold_ms = 0;
    }
    pthread_mutex_unlock(&pace.lock);
}

void pace_reset(void)
{
    pthread_mutex_lock(&pace.lock);
    free(pace.table);
    pace.table = NULL;
    free(pace.tickets);
    pace.tickets = NULL;
    pthread_mutex_unlock(&pace.lock);
}
