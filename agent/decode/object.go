// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"bytes"
	"encoding/json"
)

// field is a member of a JSON object. Its name is always written out where it is made.
type field struct {
	name  string
	value any // what encoding/json takes, or an object, or a slice of objects
}

// object is a JSON object whose members keep their order.
type object []field

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, f := range o {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, f.name); err != nil {
			return nil, err
		}
		if b, err = appendJSON(append(b, ':'), f.value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendJSON appends value as it is: "<" stays "<", since no line becomes part of a web page.
func appendJSON(dst []byte, value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte{'\n'})...), nil
}
