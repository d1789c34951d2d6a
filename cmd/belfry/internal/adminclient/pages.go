package adminclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
)

// MaxPage is how many elements a page of a list has at most.
const MaxPage = 1000

// A List is one that the service tells in pages.
type List struct {
	Path   string
	Member string // of the answers, under which the elements are
	Query  url.Values
	Limit  int // how many elements are wanted; zero: all
}

// Pages calls each for every page of a list, with the answer and the elements in
// it. It reports whether the list goes on behind the limit.
func (c Client) Pages(ctx context.Context, l List, each func(reply []byte, elements []json.RawMessage) error) (more bool, err error) {
	query := url.Values{}
	for name, values := range l.Query {
		query[name] = values
	}
	for left := l.Limit; ; {
		if l.Limit > 0 {
			query.Set("limit", strconv.Itoa(min(left, MaxPage)))
		}
		reply, err := c.Call(ctx, Request{Path: l.Path, Query: query})
		if err != nil {
			return false, err
		}
		elements, next, err := readPage(reply, l.Member)
		if err == nil {
			err = each(reply, elements)
		}
		if err != nil || next == "" {
			return false, err
		}
		if left -= len(elements); l.Limit > 0 && left <= 0 {
			return true, nil
		}
		query.Set("after", next)
	}
}

// readPage reads a part of a list, and what after has to be for the next.
func readPage(reply []byte, member string) (elements []json.RawMessage, next string, err error) {
	var page map[string]json.RawMessage
	if err := Read(reply, &page); err != nil {
		return nil, "", err
	}
	if raw, ok := page["next"]; ok {
		if err := Read(raw, &next); err != nil {
			return nil, "", err
		}
	}
	err = Read(page[member], &elements)
	return elements, next, err
}

// OnlyApp is the app that is named or, if none is, the only one that there is.
func (c Client) OnlyApp(ctx context.Context, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	reply, err := c.Call(ctx, Request{Path: AppsPath, Query: url.Values{"limit": {"2"}}})
	if err != nil {
		return "", err
	}
	var page struct{ Apps []struct{ ID string } }
	if err := Read(reply, &page); err != nil {
		return "", err
	}
	switch len(page.Apps) {
	case 1:
		return page.Apps[0].ID, nil
	case 0:
		return "", errors.New("the service has no apps; make one with belfry apps create")
	}
	return "", &UsageError{"which app? Give its id with --app; belfry apps list shows them"}
}
