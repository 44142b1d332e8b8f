package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrNotDocument is wrapped by Decode's errors about data that is no dbleaks
// document at all.
var ErrNotDocument = errors.New("not a dbleaks document")

// Decode reads a document as it was written in JSON. The data may come from
// anywhere: an error says in what way it is no document that this version
// understands.
func Decode(data []byte) (Document, error) {
	var head struct {
		Schema *string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Document{}, fmt.Errorf("%w: %w", ErrNotDocument, err)
	}
	switch {
	case head.Schema == nil:
		return Document{}, fmt.Errorf("%w: it is JSON without a schema", ErrNotDocument)
	case *head.Schema == Schema:
	case strings.HasPrefix(*head.Schema, "dbleaks/"):
		return Document{}, fmt.Errorf("the document has schema %q, this version understands %q", *head.Schema, Schema)
	default:
		return Document{}, fmt.Errorf("%w: its schema is %q", ErrNotDocument, *head.Schema)
	}
	var d Document
	if err := json.Unmarshal(data, &d); err != nil {
		return Document{}, fmt.Errorf("damaged dbleaks document: %w", err)
	}
	return d, nil
}
