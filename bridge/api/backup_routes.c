/* backup_routes.c: POST /admin/backup/: a copy of the store for `chasqui backup`, over the Unix socket only. */
#include "bridge/api/call.h"
#include "bridge/backup.h"

/* The copy is done, or could not be made. */
static void backup_done(enum err rc, void *arg)
{
    struct call *c = arg;
    if (rc == ERR_OK) {
        call_reply(c, 200, json_object());
    } else if (rc == ERR_FULL || rc == ERR_IO) {
        call_fail(c, API_STORAGE, "dir", "the copy could not be written: %s", err_text(rc));
    } else {
        call_refuse(c, rc == ERR_CONFLICT ? ERR_INVALID : rc, "dir", "must be an empty directory");
    }
}

void admin_backup(struct call *c)
{
    const char *dir = jx_str_or(c->body, "dir", "");
    if (dir[0] != '/') {
        call_fail(c, API_BAD_FIELD, "dir", "must be an absolute path");
        return;
    }
    call_rest(c);
    backup_start(c->api->app->store, dir, backup_done, c);
    call_wait(c);
}
