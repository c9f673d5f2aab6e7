/* picture.h: a customer's picture as adapters send it: read from its blob when the request is built, so that
 * waiting turns hold none. Thread: any; blocks on the disk. */
#ifndef CHASQUI_AGENT_MODEL_PICTURE_H
#define CHASQUI_AGENT_MODEL_PICTURE_H

#include "agent/model/model.h"

/* prefix and then the bytes as base64. malloc'ed; NULL if the blob cannot be read: the model is not shown it.
 */
char *picture_base64(const struct model_image *image, const char *prefix);

#endif
