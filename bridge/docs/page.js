// page.js: starts the viewer on the API's own document. Nothing is asked of any other host, and the key that
// somebody types under "Authorize" lives as long as the page: it is never stored.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  // The document names the server by its public address; whoever opens the page by another name of the same server
  // (a tunnel, a port of this machine) still calls the server that the page came from.
  const homeward = (request) => {
    const target = new URL(request.url, window.location.href);
    request.url = window.location.origin + target.pathname + target.search;
    return request;
  };

  window.chasquiDocs = window.SwaggerUIBundle({
    url: document.documentElement.dataset.document || "/openapi.json",
    domNode: document.getElementById("viewer"),
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    docExpansion: "list",
    filter: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    persistAuthorization: false,
    validatorUrl: null,
    requestInterceptor: homeward,
    onComplete: () => { document.getElementById("servers")?.setAttribute("aria-label", "Server"); },
  });
});
