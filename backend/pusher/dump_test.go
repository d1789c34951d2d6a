package pusher_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// describe returns what a request means, without what depends on the time.
func describe(s *service) string {
	query := s.request.URL.Query()
	query.Del("auth_timestamp")
	query.Del("auth_signature")
	query.Del("body_md5") // the members of the body are in another order
	var body any
	if s.body != "" && json.Unmarshal([]byte(s.body), &body) != nil {
		body = s.body
	}
	return fmt.Sprint(s.request.Method, " ", s.request.URL.Scheme, "://", s.request.URL.Host, s.request.URL.Path, "?", query.Encode(), " ", body)
}

// dump prints a value with what its pointers point to, without type names.
func dump(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		return "&" + dump(v.Elem())
	case reflect.Struct:
		var fields []string
		for i := range v.NumField() {
			fields = append(fields, v.Type().Field(i).Name+":"+dump(v.Field(i)))
		}
		return "{" + strings.Join(fields, " ") + "}"
	case reflect.Slice:
		var elements []string
		for i := range v.Len() {
			elements = append(elements, dump(v.Index(i)))
		}
		return "[" + strings.Join(elements, " ") + "]"
	case reflect.Map:
		var entries []string
		for _, key := range v.MapKeys() {
			entries = append(entries, key.String()+":"+dump(v.MapIndex(key)))
		}
		slices.Sort(entries)
		return "{" + strings.Join(entries, " ") + "}"
	}
	return fmt.Sprint(v)
}
