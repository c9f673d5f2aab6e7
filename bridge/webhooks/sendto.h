/* sendto.h: endpoints kept ready for sending: the parsed record and its live secrets in the clear.
 *
 * A delivery names its endpoint by id, and the record is the same for thousands of them. A revision is never
 * given twice, so one look at the stored revision tells whether what is kept is the record itself. Memory: at
 * most SENDTO_SLOTS records. Owner: the desk. Thread: the desk's. */
#ifndef CHASQUI_WEBHOOKS_SENDTO_H
#define CHASQUI_WEBHOOKS_SENDTO_H

#include "bridge/webhooks/sign.h"
#include "queue/base/id.h"
#include "queue/base/json.h"
#include "queue/store.h"

#define SENDTO_SLOTS 2048

struct sendto {
    char id[ID_SIZE], part[PARTITION_SIZE];
    uint64_t rev;
    json_t *webhook; /* shared: not to be changed */
    json_t *indexed; /* {"webhook_id"}: what its deliveries are found by */
    unsigned secret_count;
    char secrets[SIGN_SECRETS][SIGN_SECRET_SIZE]; /* the current one first */
    int64_t until_ms;                             /* when the first of them ends */
    unsigned users;
};

struct sendtos;
struct sendtos *sendtos_new(void);
void sendtos_free(struct sendtos *sendtos);
/* The endpoint as the snapshot has it; sendto_release when done with it, also after sendtos_free.
 * ERR_NOTFOUND.
 */
enum err sendto_get(struct sendtos *sendtos, struct snapshot *snap, const char *part, const char *id,
                    struct sendto **out) MUST_CHECK;
void sendto_release(struct sendto *sendto); /* NULL is fine */

#endif
