/* picture.c: a customer's picture as adapters send it. */
#include "agent/model/picture.h"

#include "queue/base/blob.h"
#include "queue/base/codec.h"
#include "queue/base/log.h"

#define PICTURE_MAX (20u << 20)

char *picture_base64(const struct model_image *image, const char *prefix)
{
    struct buf bytes, text;
    char *out = NULL;

    buf_init(&bytes, PICTURE_MAX);
    buf_init(&text, 2 * (size_t)PICTURE_MAX);
    enum err rc = blob_get(image->sha256, &bytes);
    if (rc == ERR_OK) {
        buf_adds(&text, prefix);
        base64_encode(&text, bytes.data, bytes.len);
        out = buf_take(&text, NULL);
    } else {
        log_warn("model.picture", "error=%s", err_name(rc));
    }
    buf_fini(&text);
    buf_fini(&bytes);
    return out;
}
