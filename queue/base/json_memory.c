/* json_memory.c: the memory of JSON values: a parsed message is some hundreds of small pieces that live for
 * a moment (shelf.h). What jansson hands out may be given to free. */
#include <jansson.h>

#include "queue/base/json_memory.h"

#include "queue/base/sanitized.h"
#include "queue/base/shelf.h"

void json_memory_use(void)
{
    if (!SANITIZED) {
        json_set_alloc_funcs(shelf_take, shelf_give);
    }
}
