/* openapi.h: what the two halves of the OpenAPI document share: schemas (openapi_schemas.c), operations
 * (openapi.c). */
#ifndef CHASQUI_API_OPENAPI_H
#define CHASQUI_API_OPENAPI_H

#include "bridge/api/schema.h"
#include "bridge/api/surface.h"

#define OPENAPI_NAME_MAX 300

/* {"$ref": "#/components/KIND/NAME"} */
json_t *openapi_reference(const char *kind, const char *name);
/* The name of a schema on a surface, in out: the camelCase form stands beside the canonical one. */
const char *openapi_label(enum schema_id id, const struct surface *surface, struct buf *out);
/* {"$ref"} to the schema as the surface wears it. */
json_t *openapi_schema_reference(enum schema_id id, const struct surface *surface);
/* The schema of a request's body; partial (PATCH): nothing is required. */
json_t *openapi_body_schema(enum schema_id id, const struct surface *surface, bool partial);
/* Every schema, parameter, header, answer and security scheme that operations of these surfaces refer to. */
json_t *openapi_components(unsigned surfaces);
/* The document of these surfaces (bits of surface.h) as reached at server, "https://host". New reference. */
json_t *openapi_document(const char *server, const char *title, unsigned surfaces);

#endif
