// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"bytes"
	"encoding/json"
)

// field is a member of a JSON object. Its name is always written out where it is made.
type field struct {
	name  string
	value any // an object, a slice of objects, or what encoding/json takes
}

// object is a JSON object whose members keep their order.
type object []field

func (o object) appendTo(b []byte) ([]byte, error) {
	var err error
	b = append(b, '{')
	for i, f := range o {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendJSON(b, f.name); err != nil {
			return nil, err
		}
		if b, err = appendJSON(append(b, ':'), f.value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendList(b []byte, list []object) ([]byte, error) {
	var err error
	b = append(b, '[')
	for i, o := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = o.appendTo(b); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendJSON appends value as it is: "<" stays "<", since no line becomes part of a web page.
func appendJSON(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case object:
		return v.appendTo(dst)
	case []object:
		return appendList(dst, v)
	}
	b := bytes.NewBuffer(dst)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}
