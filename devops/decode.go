package devops

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// errMalformed is all that is said of a successful answer that is not the JSON it should be: the body may hold secrets.
var errMalformed = errors.New("the answer is not the JSON that the API documents; is there a proxy in between, or is Config.BaseURL another service's?")

// maxCommas bounds the elements and fields of an answer, which take a hundred times their size in memory where they are small. A page of 100
// databases has about 30,000.
const maxCommas = 100_000

func decode(body []byte, v any) error {
	if bytes.Count(body, []byte(",")) > maxCommas {
		return fmt.Errorf("the answer has more than %d values: it is none of the API's", maxCommas)
	}
	if json.Unmarshal(body, v) != nil {
		return errMalformed
	}
	return nil
}

func isNull(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) == 0 || bytes.Equal(body, []byte("null"))
}

// text is a JSON string, or what stands in a string's place when the API changes its mind: the digits of a number, a word for a
// boolean, nothing for null. Objects and arrays count as nothing.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*t = text(s)
	case '{', '[', 'n':
		*t = ""
	default:
		*t = text(data)
	}
	return nil
}

// flag is a JSON boolean, or the same word in a string.
type flag bool

func (f *flag) UnmarshalJSON(data []byte) error {
	*f = flag(strings.EqualFold(strings.Trim(string(data), `"`), "true"))
	return nil
}

// list is a JSON array that may be null. What is no array counts as an empty one, and elements that do not decode are dropped, so that one
// odd element does not cost the answer.
type list[T any] []T

func (l *list[T]) UnmarshalJSON(data []byte) error {
	*l = nil
	var elements []json.RawMessage
	if json.Unmarshal(data, &elements) != nil {
		return nil
	}
	for _, e := range elements {
		var v T
		if !isNull(e) && json.Unmarshal(e, &v) == nil {
			*l = append(*l, v)
		}
	}
	return nil
}

// instant is a time in RFC 3339. The zero time stands for none, null, Go's zero time, and what cannot be read.
type instant struct{ time.Time }

func (i *instant) UnmarshalJSON(data []byte) error {
	i.Time, _ = time.Parse(time.RFC3339, strings.Trim(string(data), `"`))
	if i.Year() <= 1 {
		i.Time = time.Time{}
	}
	return nil
}
