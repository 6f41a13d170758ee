package api

//go:generate ../.tools/oapi-codegen -config oapi.yaml openapi.yaml
//go:generate sh -c "cd client && ../../.tools/oapi-codegen -config oapi.yaml ../openapi.yaml"
