package api

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

//go:embed openapi.yaml
var spec []byte

// specJSON turns the embedded document into JSON.
func specJSON() ([]byte, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(spec, &doc); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return json.Marshal(doc)
}

// Openapi implements StrictServerInterface.
func (s *Server) Openapi(context.Context, OpenapiRequestObject) (OpenapiResponseObject, error) {
	doc, err := s.spec()
	if err != nil {
		return nil, err
	}
	return value(doc), nil
}
