package nnn_test

import (
	"errors"
	"fmt"

	nnn "libnnn"
)

// Row 2 is a hub: near to everything, about nothing.
var (
	gallery = nnn.NewMatrix([]float32{1, 0, 0, 1, 0.6, 0.8}, 2)
	bank    = nnn.NewMatrix([]float32{0.6, 0.8, 0.8, 0.6}, 2)
	queries = nnn.NewMatrix([]float32{0.5, 0.866, 0.866, 0.5}, 2)
)

func ExampleSearch() {
	bias, err := nnn.Bias(gallery, bank, 1, 0.75)
	if err != nil {
		panic(err)
	}
	plain, err := nnn.Search(queries, gallery, nil, nil, 1)
	if err != nil {
		panic(err)
	}
	debiased, err := nnn.Search(queries, gallery, bias, nil, 1)
	if err != nil {
		panic(err)
	}
	for q := range debiased {
		fmt.Printf("query %d: row %d plain, %d debiased\n", q, plain[q][0].ID, debiased[q][0].ID)
	}
	// Output:
	// query 0: row 2 plain, 1 debiased
	// query 1: row 2 plain, 0 debiased
}

// A bank that comes in shards, on several machines perhaps.
func ExampleNeighbors() {
	whole, _ := nnn.NewNeighbors(gallery.Rows, 2)
	for _, shard := range []nnn.Matrix{nnn.NewMatrix(bank.Data[:2], 2), nnn.NewMatrix(bank.Data[2:], 2)} {
		part, _ := nnn.NewNeighbors(gallery.Rows, 2)
		if err := nnn.Update(part, gallery, shard); err != nil {
			panic(err)
		}
		if err := whole.Merge(part); err != nil {
			panic(err)
		}
	}
	bias, err := whole.Bias(2, 0.75)
	fmt.Printf("%.3f %v\n", bias, err)
	// Output: [0.525 0.525 0.735] <nil>
}

func ExampleError() {
	_, err := nnn.Bias(gallery, bank, 3, 0.75)
	fmt.Println(err)
	fmt.Println(errors.Is(err, nnn.ErrK))
	// Output:
	// nnn: Bias: k: 3: 1 to 2 are possible, as the bank has no more rows
	// true
}
