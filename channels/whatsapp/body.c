/* body.c: the body of POST /{version}/{phone_number_id}/messages; see Meta, "Send messages".
 *
 * A phone goes into "to", always with its '+' (without it Meta puts the business's own country code in
 * front); a BSUID goes into "recipient" (in "to" it would be accepted and lost). Our message id rides along
 * as biz_opaque_callback_data and comes back with every status. */
#include <string.h>

#include "channels/contact.h"
#include "channels/whatsapp/whatsapp.h"

/* Who gets it; false if the contact has no identity that WhatsApp knows. */
static bool recipient_set(json_t *body, const json_t *contact)
{
    const char *phone = contact_identity(contact, "phone");
    const char *bsuid = contact_identity(contact, "bsuid");

    if (phone != NULL) {
        jx_set_str(body, "to", phone);
    } else if (bsuid != NULL) {
        jx_set_str(body, "recipient", bsuid);
    }
    return phone != NULL || bsuid != NULL;
}

static json_t *text_object(const json_t *message)
{
    json_t *text = json_object();

    jx_set_str(text, "body", jx_str_or(message, "text", ""));
    jx_set_bool(text, "preview_url", jx_bool(jx_obj(message, "content"), "preview_url", false));
    return text;
}

static bool takes_caption(const char *type)
{
    return strcmp(type, "image") == 0 || strcmp(type, "video") == 0 || strcmp(type, "document") == 0;
}

/* The type's own object; NULL if the record has none. */
static json_t *type_object(const json_t *message, const char *type)
{
    json_t *content = json_object_get(message, "content");
    const char *text = jx_str_or(message, "text", "");

    if (strcmp(type, "text") == 0) {
        return text_object(message);
    }
    if (json_is_array(content)) {
        return json_incref(content);
    }
    if (!json_is_object(content)) {
        return NULL;
    }
    if (strcmp(type, "contacts") == 0) {
        return json_incref(json_object_get(content, "contacts"));
    }
    json_t *own = json_copy(content);
    if (strcmp(type, "template") == 0) {
        json_object_del(own, "category"); /* our own note, for opt-outs */
    }
    if (takes_caption(type) && text[0] != '\0' && jx_str(own, "caption") == NULL) {
        jx_set_str(own, "caption", text);
    }
    return own;
}

json_t *whatsapp_send_body(const json_t *contact, const json_t *message)
{
    const char *type = jx_str_or(message, "type", "");
    json_t *own = type_object(message, type);
    json_t *body = json_object();

    jx_set_str(body, "messaging_product", "whatsapp");
    jx_set_str(body, "recipient_type", "individual");
    if (own == NULL || !recipient_set(body, contact)) {
        json_decref(own);
        json_decref(body);
        return NULL;
    }
    jx_set_str(body, "type", type);
    jx_set(body, type, own);
    if (jx_str(message, "reply_to") != NULL) {
        json_t *context = json_object();
        jx_set_str(context, "message_id", jx_str(message, "reply_to"));
        jx_set(body, "context", context);
    }
    jx_set_str(body, "biz_opaque_callback_data", jx_str(message, "id"));
    return body;
}
