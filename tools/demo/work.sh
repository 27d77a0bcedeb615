# Pretends to work: work.sh SECONDS ERROR. Fails where "fail" is among the arguments, and is slow where "slow" is.
read -r task
case "$task" in
*'"slow"'*) sleep 600 ;;
*) sleep "$1" ;;
esac
case "$task" in
*'"fail"'*)
    echo "$2" >&2
    exit 3
    ;;
esac
echo '{"ok": true, "bytes": 18231}'
