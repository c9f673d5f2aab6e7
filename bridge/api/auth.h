/* auth.h: who calls. Thread: the request's loop. */
#ifndef CHASQUI_API_AUTH_H
#define CHASQUI_API_AUTH_H

#include "bridge/api/call.h"

/* True if the request carries a key, or comes over the Unix socket. */
bool auth_offered(const struct call *c);
/* Fills c->caller from the key (Authorization: Bearer, X-API-Key or vivi-api-key on every surface) or, over
 * the Unix socket without a key, from Chasqui-Account and Chasqui-Mode; then takes one request from the
 * caller's window. False: the call has ended with 401, 403 or 429. */
bool auth_identify(struct call *c);
/* For answers that take long: whether the key is still neither revoked nor expired. Ask every AUTH_AGAIN_MS. */
#define AUTH_AGAIN_MS 400
bool auth_still(struct call *c);
/* The route's scope and mode. False: the call has ended with 403. */
bool auth_permit(struct call *c);

#endif
