package cql

// Kinds of results, the first [int] of a RESULT message.
const (
	ResultVoid         = 1
	ResultRows         = 2
	ResultSetKeyspace  = 3
	ResultPrepared     = 4
	ResultSchemaChange = 5
)

// Flags of metadata.
const (
	metadataGlobalTable = 0x01
	metadataMorePages   = 0x02
	metadataNone        = 0x04
)

// A Column describes a column of a result or a bind marker.
type Column struct {
	Keyspace, Table, Name string
	Type                  Type
}

// AppendMetadata appends the metadata of rows: what the columns are, unless
// skip is set, and where the next page begins, unless pagingState is nil.
func AppendMetadata(dst []byte, columns []Column, pagingState []byte, skip bool) []byte {
	flags := 0
	if pagingState != nil {
		flags |= metadataMorePages
	}
	skip = skip || len(columns) == 0
	if skip {
		flags |= metadataNone
	}
	if oneTable(columns) {
		flags |= metadataGlobalTable
	}
	dst = AppendInt(AppendInt(dst, flags), len(columns))
	if pagingState != nil {
		dst = AppendBytes(dst, pagingState)
	}
	if skip {
		return dst
	}
	return appendColumns(dst, columns)
}

// AppendPreparedMetadata appends the metadata of bind markers, with the
// indexes of those that form the partition key.
func AppendPreparedMetadata(dst []byte, columns []Column, partitionKey []int) []byte {
	flags := 0
	if oneTable(columns) {
		flags |= metadataGlobalTable
	}
	dst = AppendInt(AppendInt(dst, flags), len(columns))
	dst = AppendInt(dst, len(partitionKey))
	for _, i := range partitionKey {
		dst = AppendShort(dst, uint16(i))
	}
	return appendColumns(dst, columns)
}

func oneTable(columns []Column) bool {
	for _, c := range columns {
		if c.Keyspace != columns[0].Keyspace || c.Table != columns[0].Table {
			return false
		}
	}
	return len(columns) > 0
}

func appendColumns(dst []byte, columns []Column) []byte {
	global := oneTable(columns)
	if global {
		dst = AppendString(AppendString(dst, columns[0].Keyspace), columns[0].Table)
	}
	for _, c := range columns {
		if !global {
			dst = AppendString(AppendString(dst, c.Keyspace), c.Table)
		}
		dst = AppendType(AppendString(dst, c.Name), c.Type)
	}
	return dst
}

// Metadata reads the metadata of rows. It returns no columns when they were
// skipped.
func (r *Reader) Metadata() (columns []Column, pagingState []byte) {
	flags, n := r.Int(), r.Int()
	if flags&metadataMorePages != 0 {
		pagingState = r.Bytes()
	}
	if flags&metadataNone != 0 {
		return nil, pagingState
	}
	return r.columns(flags, n), pagingState
}

// PreparedMetadata reads the metadata of bind markers.
func (r *Reader) PreparedMetadata() (columns []Column, partitionKey []int) {
	flags, n := r.Int(), r.Int()
	for k := r.Int(); k > 0 && r.err == nil; k-- {
		partitionKey = append(partitionKey, int(r.Short()))
	}
	return r.columns(flags, n), partitionKey
}

func (r *Reader) columns(flags, n int32) (columns []Column) {
	var global Column
	if flags&metadataGlobalTable != 0 {
		global.Keyspace, global.Table = r.ShortString(), r.ShortString()
	}
	for ; n > 0 && r.err == nil; n-- {
		c := global
		if flags&metadataGlobalTable == 0 {
			c.Keyspace, c.Table = r.ShortString(), r.ShortString()
		}
		c.Name, c.Type = r.ShortString(), r.Type()
		columns = append(columns, c)
	}
	return columns
}
