# Festival .seg files -> manifest lines. Variables: table, language ("it", "cz", ... or ""), speaker, wave.
BEGIN {
  while ((getline line < table) > 0) {
    if (line ~ /^# / && line !~ /^# SIL$/) continue
    n = split(line, f, " ")
    if (n >= 2) map[f[1]] = n == 3 ? f[2] " " f[3] : f[2]
  }
  printf "%s\t%s", speaker, wave
  begin = 0
}
NF == 3 && $2 == "100" {
  name = $3
  if (!((language ":" name) in map)) {
    gsub(/:/, "", name)
    if (language == "ru" && name ~ /^(bb|pp|mm|nn|ff|vv|tt|dd|ss|zz|kk|gg|hh|ll|rr)$/) name = substr(name, 1, 1)
  }
  if (language != "" && (language ":" name) in map) arpa = map[language ":" name]
  else if (name in map) arpa = map[name]
  else arpa = "?"
  n = split(arpa, parts, " ")
  for (i = 1; i <= n; ++i) printf "\t%s:%.3f:%.3f", parts[i], begin + ($1 - begin) * (i - 1) / n, begin + ($1 - begin) * i / n
  begin = $1
}
END { print "" }
