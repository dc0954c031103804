package admin

import _ "embed"

// document is GET /openapi.yaml: the calls of the API as OpenAPI 3.1 has them.
//
//go:embed openapi.yaml
var document []byte
