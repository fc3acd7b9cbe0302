#!/bin/sh
# Asks with curl: status, metadata, predictions, a compressed body, an error.
set -eu
server=http://127.0.0.1:$1/v1/models/affine
same() { [ "$1" = "$2" ] || { echo "curl got '$1', not '$2'" >&2; exit 1; }; }
same "$(curl -sSf "$server" | tr -d ' \n')" \
  '{"model_version_status":[{"version":"3","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}]}'
curl -sSf "$server/metadata" | grep -q '"name": "affine"'
answer='{
    "predictions": [[4.0], [5.0]
    ]
}'
same "$(curl -sSf -d '{"instances": [[2.0], [4.0]]}' "$server:predict")" "$answer"
same "$(printf '{"instances": [[2.0], [4.0]]}' | gzip |
  curl -sSf --data-binary @- -H 'Content-Encoding: gzip' "$server:predict")" "$answer"
same "$(curl -sS -d '{' "$server:predict" -o /dev/null -w '%{http_code}')" 400
