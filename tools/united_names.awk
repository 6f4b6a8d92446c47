# Finds names of one source alone (of anonymous namespaces, static ones, constants) that meet in sources which are one
# translation unit in Release. Reads declarations as clang-format lays them out: what is in no body begins a line.
# usage: awk -f united_names.awk -v groups="GROUP KERNEL…;…" FILE…

function trimmed(text) {
  gsub(/^ +| +$/, "", text)
  return text
}

# Without the arguments of templates, whose commas and parentheses are not those of parameters.
function folded(text,   inner) {
  while (match(text, /<[^<>]*>/)) {
    inner = substr(text, RSTART + 1, RLENGTH - 2)
    gsub(/[ ,()]/, "_", inner)
    text = substr(text, 1, RSTART - 1) "{" inner "}" substr(text, RSTART + RLENGTH)
  }
  return text
}

# `kind` is "(" and its parameters for a function, "=" and its type for an alias.
function note(name, kind,   key, i, other, is_overload, is_same_alias) {
  key = unit SUBSEP scope SUBSEP name
  for (i = 1; i <= count[key]; i++) {
    split(entry[key, i], other, SUBSEP)
    is_overload = kind ~ /^\(/ && other[3] ~ /^\(/ && kind != other[3]
    is_same_alias = kind ~ /^=/ && kind == other[3]
    if (other[1] == FILENAME || is_overload || is_same_alias) continue
    print FILENAME ":" begin ": \"" name "\" is a name in " other[1] ", too, which Release unites with it"
    return
  }
  entry[key, ++count[key]] = FILENAME SUBSEP begin SUBSEP kind
}

function note_function(name, parameters,   part, number, i, kind) {
  sub(/ +$/, "", name)
  sub(/.*[ *&}]/, "", name)
  sub(/\)[^)]*$/, "", parameters)
  kind = "("
  number = split(trimmed(parameters), part, ",")
  for (i = 1; i <= number; i++) {
    sub(/ *=.*/, "", part[i])
    part[i] = trimmed(part[i])
    if (part[i] ~ /[ *&}][A-Za-z_][A-Za-z0-9_]*$/) sub(/[A-Za-z_][A-Za-z0-9_]*$/, "", part[i])
    kind = kind trimmed(part[i]) ","
  }
  note(name, kind)
}

function note_variables(text,   part, number, i, name) {
  number = split(text, part, ",")
  for (i = 1; i <= number; i++) {
    name = trimmed(part[i])
    if (i > 1 && name !~ /^[A-Za-z_][A-Za-z0-9_]*(\[| *=|$)/) continue  # of an initialiser
    sub(/ *=.*/, "", name)
    sub(/\[.*/, "", name)
    sub(/.*[ *&}]/, "", name)
    if (name ~ /^[A-Za-z_]/) note(name, "")
  }
}

# `text` is a declaration up to its body, its braces or its end.
function note_declared(text, has_body,   open, name) {
  gsub(/\[\[[^]]*\]\] */, "", text)
  if (text ~ /operator/) gsub(/operator *[<>=!+*\/-]+/, "operator", text)
  text = folded(text)
  sub(/^template ?\{[^}]*\} */, "", text)
  if (text ~ /^(using|friend) [^=]*$/ || text ~ /^(namespace|static_assert|extern)/) return
  open = index(text, "(")
  if (match(text, /^(struct|class|union|enum( class| struct)?) +[A-Za-z_][A-Za-z0-9_]*/)) {
    name = substr(text, 1, RLENGTH)
    sub(/.* /, "", name)
    if (has_body && substr(text, RLENGTH + 1) ~ /^ *(final *)?(:.*)?$/) note(name, "")
  } else if (text ~ /^using /) {
    name = substr(text, 7)
    sub(/ *=.*/, "", name)
    note(name, substr(text, index(text, "=")))
  } else if (open > 0 && (text !~ /=/ || index(text, "=") > open)) {
    note_function(substr(text, 1, open - 1), substr(text, open + 1))
  } else {
    note_variables(text)
  }
}

BEGIN {
  lines = split(groups, line, ";")
  for (i = 1; i <= lines; i++) {
    words = split(line[i], word, " ")
    for (j = 2; j <= words; j++) group_of["core/backend/cuda/" word[j] ".cu"] = word[1]
  }
}
FNR == 1 {
  depth = 0
  text = raw = scope = ""
  unit = FILENAME
  if (FILENAME ~ /\.cpp$/) sub(/\/[^\/]*$/, "", unit)
  if (FILENAME in group_of) unit = group_of[FILENAME]
}
raw != "" {
  if (index($0, raw)) raw = ""
  next
}
match($0, /R"[A-Za-z]*\(/) {
  raw = ")" substr($0, RSTART + 2, RLENGTH - 3) "\""
  if (index(substr($0, RSTART), raw)) raw = ""
}
/^namespace [^=]*\{/ {
  scope_of[++depth] = scope
  is_anonymous[depth] = $2 == "{"
  if (!is_anonymous[depth]) scope = scope "::" $2
  next
}
/^\}.*\/\/ namespace/ {
  if (depth > 0) scope = scope_of[depth--]
  next
}
text == "" && !/^[A-Za-z_[]/ { next }
text == "" && (depth == 0 || !is_anonymous[depth]) && !/^(static |constexpr |const |TEST)/ { next }
{
  if (text == "") begin = FNR
  rest = $0
  gsub(/"([^"\\]|\\.)*"/, "\"\"", rest)
  sub(/ *\/\/.*/, "", rest)
  text = trimmed(text " " rest)
  if (text ~ /^[^{;]*= *\{/) {  # others may follow the value of a variable
    if (text !~ /;$/) next
    while (gsub(/\{[^{}]*\}/, "", text)) continue
  }
  if (match(text, /[{;]/)) {
    note_declared(trimmed(substr(text, 1, RSTART - 1)), substr(text, RSTART, 1) == "{")
    text = ""
  }
}
