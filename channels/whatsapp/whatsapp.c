/* whatsapp.c: WhatsApp's row in the table of platforms. */
#include "channels/whatsapp/whatsapp.h"

#include "channels/channels_int.h"

static const char *const required[] = {"phone_number_id", "access_token", "app_secret", "verify_token", NULL};
static const char *const optional[] = {"display_phone_number", "business_account_id", "graph_url",
                                       "graph_version",        "app_secret_previous", NULL};
static const char *const sealed[] = {"access_token", "app_secret", "app_secret_previous", "verify_token",
                                     NULL};

const struct channel_ops whatsapp_ops = {
    .type = "whatsapp",
    .has_window = true,
    .text_max = WHATSAPP_TEXT_MAX,
    .required = required,
    .optional = optional,
    .sealed = sealed,
    .challenge = whatsapp_challenge,
    .verify = whatsapp_verify,
    .parse = whatsapp_parse,
    .send = whatsapp_send,
    .template_call = whatsapp_template_call,
    .fetch = whatsapp_fetch,
    .receipt = whatsapp_receipt,
    .probe = whatsapp_probe,
    .marks = whatsapp_marks,
    .paced = true,
    .refusal = whatsapp_refusal,
    .account = whatsapp_account,
    .field_ok = whatsapp_field_ok,
    .content_check = whatsapp_content_check,
};
