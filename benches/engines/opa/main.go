// Command opa is OPA's engine alone, in this process, asked by ../compare.py: a prepared query over the
// policies and data of a folder and one parsed input document. It says `ready OUTCOME`, and for each
// line with a count on standard input decides that many times and says `done`.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/util"
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: opa FOLDER DOCUMENT"))
	}
	query, input, err := prepare(os.Args[1], os.Args[2])
	if err != nil {
		fail(err)
	}
	expected := decide(query, input)
	outcome := "deny"
	if expected {
		outcome = "allow"
	}
	fmt.Println("ready", outcome)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		count, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil {
			fail(err)
		}
		for range count {
			if decide(query, input) != expected {
				fail(fmt.Errorf("the decision changed"))
			}
		}
		fmt.Println("done")
	}
}

// prepare compiles every policy of the folder once; the input is a value of the engine from here on.
func prepare(folder, document string) (rego.PreparedEvalQuery, ast.Value, error) {
	none := rego.PreparedEvalQuery{}
	options := []func(*rego.Rego){
		rego.Query("data.authz.allow"),
		rego.StrictBuiltinErrors(true),
	}
	policies, err := filepath.Glob(filepath.Join(folder, "*.rego"))
	if err != nil {
		return none, nil, err
	}
	for _, path := range policies {
		text, err := os.ReadFile(path)
		if err != nil {
			return none, nil, err
		}
		options = append(options, rego.Module(path, string(text)))
	}
	data, err := os.ReadFile(filepath.Join(folder, "data.json"))
	if err == nil {
		options = append(options, rego.Store(inmem.NewFromReader(bytes.NewReader(data))))
	} else if !os.IsNotExist(err) {
		return none, nil, err
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return none, nil, err
	}
	var parsed any
	if err := util.NewJSONDecoder(bytes.NewReader(text)).Decode(&parsed); err != nil {
		return none, nil, err
	}
	input, err := ast.InterfaceToValue(parsed)
	if err != nil {
		return none, nil, err
	}
	query, err := rego.New(options...).PrepareForEval(context.Background())
	return query, input, err
}

func decide(query rego.PreparedEvalQuery, input ast.Value) bool {
	result, err := query.Eval(context.Background(), rego.EvalParsedInput(input))
	if err != nil {
		fail(err)
	}
	if len(result) != 1 || len(result[0].Expressions) != 1 {
		fail(fmt.Errorf("no decision"))
	}
	isAllowed, isBoolean := result[0].Expressions[0].Value.(bool)
	if !isBoolean {
		text, _ := json.Marshal(result[0].Expressions[0].Value)
		fail(fmt.Errorf("the decision is %s", text))
	}
	return isAllowed
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "opa:", err)
	os.Exit(1)
}
