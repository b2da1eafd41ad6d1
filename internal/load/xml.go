package load

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
)

// nestingLimit is how deep elements of XML and values of YAML may lie in one
// another. JSON has a limit of its own, 10,000.
const nestingLimit = 100

// parseXML reads one XML document. An element is a map of its children, of its
// attributes with a hyphen before their names, and of its text as "#text" beside
// either; without any of them it is its text alone. Elements of one name are a
// list. Names stand without their prefix. Entities are those of XML only, so
// that nothing expands.
func parseXML(text []byte) (any, error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	root, err := nextElement(d)
	if errors.Is(err, io.EOF) {
		return nil, invalid("the answer is empty; expected XML")
	}
	if err != nil {
		return nil, notXML(err)
	}
	body, err := element(d, root, 1)
	if err != nil {
		return nil, notXML(err)
	}
	if _, err := nextElement(d); !errors.Is(err, io.EOF) {
		return nil, invalid("the answer goes on after its XML ends; expected one XML element")
	}
	return map[string]any{root.Name.Local: body}, nil
}

// errNested is the fault of an answer that is a bomb or a mistake.
var errNested = invalid("the answer is nested deeper than %d levels; expected a short document", nestingLimit)

// notXML keeps a fault, and says in its own words what the parser said, which
// would repeat names of the answer: it is somebody else's data.
func notXML(err error) error {
	var syntax *xml.SyntaxError
	switch {
	case errors.As(err, &fault{}):
		return err
	case errors.As(err, &syntax):
		return invalid("the answer is not XML: line %d cannot be read", syntax.Line)
	case errors.Is(err, io.EOF):
		return invalid("the answer breaks off; expected whole XML")
	}
	return invalid("the answer is not XML in UTF-8")
}

// nextElement returns the start of the next element outside all others.
func nextElement(d *xml.Decoder) (xml.StartElement, error) {
	for {
		token, err := d.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			return token, nil
		case xml.CharData:
			if strings.TrimSpace(string(token)) != "" {
				return xml.StartElement{}, invalid("the answer is not XML: it has text outside of any element")
			}
		}
	}
}

// element reads an element whose start was read, to its end.
func element(d *xml.Decoder, start xml.StartElement, depth int) (any, error) {
	if depth > nestingLimit {
		return nil, errNested
	}
	fields := map[string]any{}
	for _, a := range start.Attr {
		fields["-"+a.Name.Local] = scalar(a.Value)
	}
	var said strings.Builder // text may come in pieces, around comments
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			child, err := element(d, token, depth+1)
			if err != nil {
				return nil, err
			}
			add(fields, token.Name.Local, child)
		case xml.CharData:
			said.Write(token)
		case xml.EndElement:
			text := strings.TrimSpace(said.String())
			if len(fields) == 0 {
				return scalar(text), nil
			}
			if text != "" {
				fields["#text"] = scalar(text)
			}
			return fields, nil
		}
	}
}

// add makes a list of what comes more than once.
func add(fields map[string]any, name string, child any) {
	switch before := fields[name].(type) {
	case nil:
		fields[name] = child
	case []any:
		fields[name] = append(before, child)
	default:
		fields[name] = []any{before, child}
	}
}

// scalar makes a double of text that is a decimal number, and leaves other text
// as it is. Beyond a double's range is infinity, as in JSON.
func scalar(text string) any {
	if strings.Trim(text, "0123456789+-.eE") != "" {
		return text // such as a name, or what Go takes for a number: inf, 0x1p4
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return text
	}
	return f
}
