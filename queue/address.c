/* address.c: ids that lead to their partition. */
#include "queue/address.h"

#include <string.h>

void address_put(struct changes *cs, const char *part, const char *id)
{
    json_t *address = json_object();
    jx_set_str(address, "part", part);
    changes_put(cs, KIND_ADDRESS, PARTITION_GLOBAL, id, address);
    json_decref(address);
}

enum err address_find(struct snapshot *snap, const char *id, char part[PARTITION_SIZE])
{
    json_t *address = NULL;
    if (id == NULL || id[0] == '\0' || strlen(id) > STORE_ID_MAX) {
        return ERR_NOTFOUND;
    }
    enum err rc = snapshot_get(snap, KIND_ADDRESS, PARTITION_GLOBAL, id, &address, NULL);
    if (rc != ERR_OK) {
        return rc == ERR_INVALID ? ERR_NOTFOUND : rc;
    }
    const char *text = jx_str_or(address, "part", "");
    size_t len = strlen(text);
    rc = len > 0 && len < PARTITION_SIZE ? ERR_OK : ERR_CORRUPT;
    if (rc == ERR_OK) {
        memcpy(part, text, len + 1);
    }
    json_decref(address);
    return rc;
}
