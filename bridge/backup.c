/* backup.c: an online copy of the store in a thread of its own; see backup.h. */
#include "bridge/backup.h"

#include <pthread.h>
#include <stdlib.h>

#include "queue/base/killpoint.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"
#include "queue/store.h"

struct backup {
    struct store *store;
    char *dir;
    struct loop *loop;
    void (*done)(enum err rc, void *arg);
    void *arg;
    enum err rc;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static unsigned under_way;

/* Back on the caller's loop. */
static void backup_answer(void *arg)
{
    struct backup *backup = arg;
    backup->done(backup->rc, backup->arg);
    free(backup->dir);
    free(backup);
}

static void *backup_main(void *arg)
{
    struct backup *backup = arg;
    KILL_POINT("backup.copy");
    backup->rc = store_backup(backup->store, backup->dir);
    KILL_POINT("backup.copied");
    log_info("backup.done", "dir=%s result=%s", log_quote(backup->dir), err_name(backup->rc));
    loop_post(backup->loop, backup_answer, backup);
    pthread_mutex_lock(&lock);
    under_way--;
    pthread_cond_broadcast(&ended);
    pthread_mutex_unlock(&lock);
    return NULL;
}

void backup_start(struct store *store, const char *dir, void (*done)(enum err rc, void *arg), void *arg)
{
    struct backup *backup = xcalloc(1, sizeof(*backup));
    *backup = (struct backup){.store = store, .dir = xstrdup(dir), .loop = loop_current(), .done = done, .arg = arg};
    CHECK(backup->loop != NULL);
    pthread_mutex_lock(&lock);
    under_way++;
    pthread_mutex_unlock(&lock);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, backup_main, backup) == 0);
    pthread_detach(thread);
}

void backup_wait(void)
{
    pthread_mutex_lock(&lock);
    while (under_way > 0) {
        pthread_cond_wait(&ended, &lock);
    }
    pthread_mutex_unlock(&lock);
}
