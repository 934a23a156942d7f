// Package nnn removes hubs from embedding retrieval: the few gallery items that win for far too many queries. It subtracts one
// precomputed number per item, its bias, from the item's score (Nearest Neighbor Normalization, EMNLP 2024).
//
//	bias, err := nnn.Bias(gallery, bank, 16, 0.75)             // once, offline
//	hits, err := nnn.Search(queries, gallery, bias, nil, 10)   // per batch of queries
//
// gallery is what is retrieved; bank are reference queries, never those one measures with. Both are matrices of embeddings, best of
// unit length (Normalize). Codes, int8 with a scale per row, stand wherever a Matrix does; Encoded, with the results of the matrix
// bit for bit at the speed of int8, where the work is.
//
// Beyond it: tables of neighbours that take bank shards and lose expired rows (Neighbors, NeighborIDs), a sublinear index of a bank or a
// gallery (Coarse), another engine's hits (Rerank, RerankCertified), vectors for a database that knows nothing of the bias (Export).
//
// Calls take batches: one query at a time costs more than its share. They run on GOMAXPROCS goroutines over ranges of rows, with the
// same bits for any number, and may be made from several goroutines as long as nobody writes to what they read. Nothing of the
// arguments is kept. Errors are of type *Error, name the argument and what to do about it, and match ErrDim and the other statuses
// by errors.Is.
//
// Bias takes a 38th of the time of the loop that one would write in Go, of Encoded a 68th (256 rows of 512 elements, a bank of 2,000, k 16;
// medians of 12 rounds of go test -bench . -cpu 1 on one core of a Zen 4, which was not idle; ratios 37 to 44 and 56 to 79).
//
// The package links libnnn, a library without allocation, threads or dependencies, as one object beside the Go files (build.sh).
package nnn

import (
	"fmt"
	"math"
)

// MaxDim is the largest number of elements per row.
const MaxDim = 131071

// Matrix is a view of rows of float32: row i starts at Data[i*Stride]. A Stride of 0 means Dim.
type Matrix struct {
	Data              []float32
	Rows, Dim, Stride int
}

// Codes is a view of rows of int8 codes: element (i, j) is Data[i*Stride+j] * Scale[i]. A nil Scale means 1 throughout, a Stride of 0
// means Dim. Quantize makes them.
type Codes struct {
	Data              []int8
	Scale             []float32
	Rows, Dim, Stride int
}

// Rows is any kind of rows; the operands of one call are of one kind.
type Rows interface{ Matrix | Codes | Encoded }

// Plain is the kinds of rows that every function takes.
type Plain interface{ Matrix | Codes }

// NewMatrix is the view of all whole rows of dim elements in data.
func NewMatrix(data []float32, dim int) Matrix {
	if dim <= 0 {
		return Matrix{Data: data, Dim: dim}
	}
	return Matrix{Data: data, Rows: len(data) / dim, Dim: dim}
}

// Hit is a gallery row and its score for one query.
type Hit struct {
	Score float32
	ID    uint32
}

// Status says what is wrong with an argument; it is what errors.Is compares an *Error with.
type Status int32

// The statuses of nnn.h that these functions give.
const (
	ErrDim      Status = -2  // rows of different or impossible lengths
	ErrK        Status = -3  // k is 0, or larger than what it selects from
	ErrRange    Status = -4  // a row, id or count outside of its matrix
	ErrStride   Status = -5  // a stride smaller than the row
	ErrOverflow Status = -6  // a size that does not fit into memory
	ErrCapacity Status = -9  // a slice that is shorter than its use needs
	ErrValue    Status = -10 // NaN, infinity, or a parameter out of its domain
)

// Error says which argument of which function cannot be used, and what to do.
type Error struct {
	Func, Arg, Reason string
	Status            Status
}

func (e *Error) Error() string {
	if e.Arg == "" {
		return fmt.Sprintf("nnn: %s: %s", e.Func, e.Reason)
	}
	return fmt.Sprintf("nnn: %s: %s: %s", e.Func, e.Arg, e.Reason)
}

// Is tells errors.Is whether the error has a status.
func (e *Error) Is(target error) bool {
	status, ok := target.(Status)
	return ok && status == e.Status
}

// call collects what is needed to say what is wrong with a call.
type call string

func (c call) refuse(arg string, status Status, format string, values ...any) error {
	return &Error{string(c), arg, fmt.Sprintf(format, values...), status}
}

// view checks a Matrix, Codes or Encoded.
func (c call) view(arg string, rows any) (view, error) {
	var v view
	var length int
	switch m := rows.(type) {
	case Matrix:
		v, length = view{kind: floatRows, rows: m.Rows, dim: m.Dim, stride: m.Stride, f32: m.Data}, len(m.Data)
	case Codes:
		v, length = view{kind: codeRows, rows: m.Rows, dim: m.Dim, stride: m.Stride, i8: m.Data, scale: m.Scale}, len(m.Data)
	case Encoded:
		v, length = m.view, len(m.view.f32)
		if v.dim == 0 {
			return v, c.refuse(arg, ErrDim, "it is empty: Encode makes one")
		}
	}
	if v.stride == 0 {
		v.stride = v.dim
	}
	switch {
	case v.dim < 1 || v.dim > MaxDim:
		return v, c.refuse(arg, ErrDim, "rows of %d elements: 1 to %d are possible", v.dim, MaxDim)
	case v.rows < 0 || uint64(v.rows) > math.MaxUint32:
		return v, c.refuse(arg, ErrRange, "%d rows: 0 to 2^32 - 1 are possible", v.rows)
	case v.stride < v.dim:
		return v, c.refuse(arg, ErrStride, "a stride of %d for rows of %d elements: it is the distance from row to row", v.stride, v.dim)
	case v.rows > 0 && (length < v.dim || (length-v.dim)/v.stride < v.rows-1):
		return v, c.refuse(arg, ErrCapacity, "%d elements do not hold %d rows, %d apart: correct Rows or Data", length, v.rows, v.stride)
	case v.kind == codeRows && v.scale != nil && len(v.scale) < v.rows:
		return v, c.refuse(arg, ErrCapacity, "%d scales for %d rows: one each is needed, or nil", len(v.scale), v.rows)
	}
	return v, nil
}

// pair checks two operands of one length.
func (c call) pair(firstArg string, first any, secondArg string, second any) (a, b view, err error) {
	if a, err = c.view(firstArg, first); err != nil {
		return
	}
	if b, err = c.view(secondArg, second); err != nil {
		return
	}
	if a.dim != b.dim {
		err = c.refuse(secondArg, ErrDim, "rows of %d elements, but %s has rows of %d: embed both with one model", b.dim, firstArg, a.dim)
		return
	}
	err = c.encodedAlike(first, secondArg, second)
	return
}

func (c call) finite(arg string, x float32) error {
	if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
		return c.refuse(arg, ErrValue, "%v: a finite number is needed", x)
	}
	return nil
}

func (c call) atMost(arg string, k, most int, what string) error {
	if k < 1 || k > most {
		return c.refuse(arg, ErrK, "%d: 1 to %d are possible, %s", k, most, what)
	}
	return nil
}

// maxElements is how many float32 or Hit a slice may have.
const maxElements = math.MaxInt / 8

// room checks that rows * each elements can be allocated.
func (c call) room(arg string, rows, each int) error {
	if each > 0 && rows > maxElements/each {
		return c.refuse(arg, ErrOverflow, "%d x %d elements do not fit into memory", rows, each)
	}
	return nil
}

// Normalize scales the rows of src to unit length, into a new matrix without gaps; rows of zeros stay zero.
func Normalize(src Matrix) (Matrix, error) {
	c := call("Normalize")
	v, err := c.view("src", src)
	if err != nil {
		return Matrix{}, err
	}
	if err := c.room("src", v.rows, v.dim); err != nil {
		return Matrix{}, err
	}
	dst := Matrix{Data: make([]float32, v.rows*v.dim), Rows: v.rows, Dim: v.dim}
	if err := c.check(v.normalize(dst.Data), named{"src", v}); err != nil {
		return Matrix{}, err
	}
	return dst, nil
}

// Quantize makes int8 codes with one scale per row: scale = max|x| / 127, rounded to nearest, ties to even.
func Quantize(src Matrix) (Codes, error) {
	c := call("Quantize")
	v, err := c.view("src", src)
	if err != nil {
		return Codes{}, err
	}
	if err := c.room("src", v.rows, v.dim); err != nil {
		return Codes{}, err
	}
	dst := Codes{Data: make([]int8, v.rows*v.dim), Scale: make([]float32, v.rows), Rows: v.rows, Dim: v.dim}
	if err := c.check(v.quantize(dst.Data, dst.Scale), named{"src", v}); err != nil {
		return Codes{}, err
	}
	return dst, nil
}

// Scores are all similarities: element q*gallery.Rows+r is that of query q and gallery row r.
func Scores[R Plain](queries, gallery R) ([]float32, error) {
	c := call("Scores")
	q, g, err := c.pair("queries", queries, "gallery", gallery)
	if err != nil {
		return nil, err
	}
	if err := c.room("queries", q.rows, g.rows); err != nil {
		return nil, err
	}
	out := make([]float32, q.rows*g.rows)
	err = parallel(q.rows, shares(q.rows, 1), func(first, count int) error {
		return c.check(scores(q.part(first, count), g, out[first*g.rows:(first+count)*g.rows]), named{"queries", q})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
