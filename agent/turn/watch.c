/* watch.c: news of a conversation's turns.
 *
 * One table of watches under one lock. A watch has a mailbox (a list) that publishers fill under the lock,
 * and at most one post to its loop is under way; the post empties the mailbox. Lock order: only this one
 * lock, never held during a callback or while JSON is freed. Life: agent_watch_stop takes the watch out of
 * the table; if a post is under way, the post frees it, so no pointer outlives its watch. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/turn/watch.h"

#include "queue/base/loop.h"

#define BUCKETS     256
#define WATCH_MAGIC 0x77746368u

/* One news in a mailbox; owns its texts and its copy of the message. */
struct letter {
    struct letter *next;
    struct agent_news news;
};

struct agent_watch {
    unsigned magic;
    struct agent_watch *next; /* in the bucket */
    char *key;                /* partition, a space, conversation */
    struct loop *loop;
    agent_news_fn fn;
    void *arg;
    struct letter *first, **last; /* mailbox */
    bool posted;                  /* deliver is on its way to the loop */
    bool delivering, stopped;     /* the loop's thread only */
};

static struct {
    pthread_mutex_t lock;
    atomic_uint count;
    struct agent_watch *buckets[BUCKETS];
} hub = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* FNV-1a over both names. */
static unsigned bucket_of(const char *key)
{
    uint32_t hash = 2166136261u;

    for (const char *p = key; *p != '\0'; p++) {
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    }
    return hash % BUCKETS;
}

static void letter_free(struct letter *letter)
{
    free((char *)(uintptr_t)letter->news.text);
    free((char *)(uintptr_t)letter->news.answers);
    json_decref((json_t *)(uintptr_t)letter->news.message);
    free(letter);
}

/* Frees a watch that is in no bucket and to which no post is under way. */
static void watch_free(struct agent_watch *watch)
{
    while (watch->first != NULL) {
        struct letter *letter = watch->first;
        watch->first = letter->next;
        letter_free(letter);
    }
    watch->magic = 0;
    free(watch->key);
    free(watch);
}

struct agent_watch *agent_watch_start(const char *part, const char *conversation_id, agent_news_fn fn,
                                      void *arg)
{
    struct agent_watch *watch = xcalloc(1, sizeof *watch);

    watch->magic = WATCH_MAGIC;
    watch->key = xasprintf("%s %s", part, conversation_id);
    watch->loop = loop_current();
    watch->fn = fn;
    watch->arg = arg;
    watch->last = &watch->first;
    CHECK(watch->loop != NULL);
    unsigned bucket = bucket_of(watch->key);
    pthread_mutex_lock(&hub.lock);
    watch->next = hub.buckets[bucket];
    hub.buckets[bucket] = watch;
    pthread_mutex_unlock(&hub.lock);
    atomic_fetch_add(&hub.count, 1);
    return watch;
}

/* Takes the watch out of its bucket. True if no post is under way. The lock is held. */
static bool unlink_locked(struct agent_watch *watch)
{
    struct agent_watch **at = &hub.buckets[bucket_of(watch->key)];

    while (*at != watch) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = watch->next;
    return !watch->posted;
}

void agent_watch_stop(struct agent_watch *watch)
{
    CHECK(watch->magic == WATCH_MAGIC && !watch->stopped);
    CHECK(loop_is_current(watch->loop));
    watch->stopped = true;
    pthread_mutex_lock(&hub.lock);
    bool idle = unlink_locked(watch);
    pthread_mutex_unlock(&hub.lock);
    atomic_fetch_sub(&hub.count, 1);
    if (idle && !watch->delivering) {
        watch_free(watch);
    }
}

/* On the watcher's loop: empties the mailbox. */
static void deliver(void *arg)
{
    struct agent_watch *watch = arg;

    CHECK(watch->magic == WATCH_MAGIC);
    pthread_mutex_lock(&hub.lock);
    struct letter *letter = watch->first;
    watch->first = NULL;
    watch->last = &watch->first;
    watch->posted = false;
    pthread_mutex_unlock(&hub.lock);
    watch->delivering = true;
    while (letter != NULL) {
        struct letter *next = letter->next;
        if (!watch->stopped) {
            watch->fn(&letter->news, watch->arg);
        }
        letter_free(letter);
        letter = next;
    }
    watch->delivering = false;
    pthread_mutex_lock(&hub.lock);
    bool gone = watch->stopped && !watch->posted;
    pthread_mutex_unlock(&hub.lock);
    if (gone) {
        watch_free(watch);
    }
}

bool agent_watch_any(const char *part, const char *conversation_id)
{
    bool found = false;

    if (atomic_load(&hub.count) == 0) {
        return false;
    }
    char *key = xasprintf("%s %s", part, conversation_id);
    pthread_mutex_lock(&hub.lock);
    for (struct agent_watch *w = hub.buckets[bucket_of(key)]; w != NULL && !found; w = w->next) {
        found = strcmp(w->key, key) == 0;
    }
    pthread_mutex_unlock(&hub.lock);
    free(key);
    return found;
}

/* A copy that its reader may take to another thread. */
static struct letter *letter_new(const struct agent_news *news)
{
    struct letter *letter = xcalloc(1, sizeof *letter);

    letter->news = *news;
    letter->news.text = news->text != NULL ? xstrdup(news->text) : NULL;
    letter->news.answers = xstrdup(news->answers != NULL ? news->answers : "");
    letter->news.message = news->message != NULL ? json_deep_copy(news->message) : NULL;
    return letter;
}

/* Puts a letter into a mailbox and makes sure that it will be emptied. The lock is held. */
static void put_locked(struct agent_watch *watch, struct letter *letter)
{
    *watch->last = letter;
    watch->last = &letter->next;
    if (!watch->posted) {
        watch->posted = true;
        loop_post(watch->loop, deliver, watch);
    }
}

void agent_watch_publish(const char *part, const char *conversation_id, const struct agent_news *news)
{
    if (!agent_watch_any(part, conversation_id)) {
        return;
    }
    char *key = xasprintf("%s %s", part, conversation_id);
    pthread_mutex_lock(&hub.lock);
    for (struct agent_watch *w = hub.buckets[bucket_of(key)]; w != NULL; w = w->next) {
        if (strcmp(w->key, key) == 0) {
            put_locked(w, letter_new(news));
        }
    }
    pthread_mutex_unlock(&hub.lock);
    free(key);
}
