# fish completion for tokenfix. scripts/generate writes it from the tables of options: do not edit.

# Which command the line names so far, and how many words stand behind it: "up 0", "sandbox start 1", " 0".
function __tokenfix_place
    set -l command ''
    set -l skip no
    set -l place 0
    set -l only_words no
    set -l line (commandline -opc)
    for word in $line[2..-1]
        if test $skip = yes
            set skip no
            continue
        end
        if test $only_words = no
            switch $word
                case --
                    set only_words yes
                    continue
                case '--*=*'
                    continue
                case '-*'
                    __tokenfix_takes "$command" $word; and set skip yes
                    continue
            end
        end
        if __tokenfix_names "$command" $word
            set command (string trim "$command $word")
        else
            set place (math $place + 1)
        end
    end
    echo "$command $place"
end

# Whether this command is named, and (with N) so many words stand behind it.
function __tokenfix_at -a command place
    set -l here (__tokenfix_place)
    if test -n "$place"
        test "$here" = "$command $place"
    else
        string match -q -r -- '^'$command' \d+$' $here
    end
end

function __tokenfix_migrations
    set -l line (commandline -opc)
    eval $line[1] help --list migrations 2>/dev/null
end

function __tokenfix_takes -a command word
    contains -- $word \
        '--config' \
        '--profile' \
        '--uri' \
        '--uri-file' \
        '--db' '-d' \
        '--state-db' \
        '--host' \
        '--port' \
        '--username' '-u' \
        '--password' '-p' \
        '--authenticationDatabase' \
        '--authenticationMechanism' \
        '--tlsCAFile' \
        '--tlsCertificateKeyFile' \
        '--tlsCertificateKeyFilePassword' \
        '--timeout' \
        '--sign-key' \
        '--log-format' \
        '--log-file' \
        '--log-level' \
        '--color' \
        --
    or contains -- "$command $word" \
        'preview --limit' 'preview -n' \
        'preview --offset' \
        'preview --sample' \
        'balance --mint' \
        'audit --check' \
        'audit --user' \
        'audit --mint' \
        'audit --since' \
        'audit --limit' 'audit -n' \
        'audit --offset' \
        'audit --format' \
        'audit --fail-on' \
        'audit --max-time' \
        'audit --keep' \
        'audit --every' \
        'audit --rounds' \
        'audit --webhook' \
        'audit --webhook-form' \
        'audit --webhook-secret-file' \
        'audit --webhook-ca-file' \
        'audit --alert-command' \
        'audit --alert-command-timeout' \
        'audit --alert-level' \
        'audit --alert-repeat' \
        'audit --alert-threshold' \
        'audit --alert-slow' \
        'audit --alert-stuck' \
        'audit --alert-lag' \
        'audit --alert-round-trip' \
        'validate --strategy' \
        'up --batch-size' \
        'up --workers' \
        'up --strategy' \
        'up --on-error' \
        'up --canary' \
        'up --batch-time' \
        'up --max-lag' \
        'up --max-load' \
        'up --critical-load' \
        'up --nice' \
        'up --pause-file' \
        'up --passphrase-file' \
        'up --key-file' \
        'verify --workers' \
        'down --on-conflict' \
        'down --batch-size' \
        'down --workers' \
        'down --strategy' \
        'down --batch-time' \
        'down --max-lag' \
        'down --max-load' \
        'down --critical-load' \
        'down --nice' \
        'down --pause-file' \
        'pause --wait' \
        'continue --wait' \
        'cancel --wait' \
        'history --limit' 'history -n' \
        'history --offset' \
        'history --public-key' \
        'history --head' \
        'history --file' \
        'history --export' \
        'history --archive' \
        'history --older-than' \
        'history --make-key' \
        'backup list --dir' \
        'backup list --limit' 'backup list -n' \
        'backup show --dir' \
        'backup export --out' 'backup export -o' \
        'backup export --passphrase-file' \
        'backup export --key-file' \
        'backup import --dir' \
        'backup import --passphrase-file' \
        'backup import --key-file' \
        'backup verify --dir' \
        'backup verify --passphrase-file' \
        'backup verify --key-file' \
        'backup purge --dir' \
        'ledger --format' \
        'create --dir' \
        'sandbox start --name' \
        'sandbox start --nodes' \
        'sandbox start --mongod' \
        'sandbox start --cache-mb' \
        'sandbox start --set-parameter' \
        'sandbox stop --name' \
        'sandbox status --name' \
        'sandbox seed --name' \
        'sandbox seed --tokens' \
        'sandbox seed --users' \
        'sandbox seed --defects' \
        'sandbox seed --seed' \
        'sandbox seed --indexes' \
        'sandbox reset --name' \
        'help --format' \
        'help --list' \
        --
end

function __tokenfix_names -a command word
    contains -- (string trim "$command $word") \
        'status' \
        'preview' \
        'balance' \
        'audit' \
        'validate' \
        'up' \
        'verify' \
        'down' \
        'pause' \
        'continue' \
        'cancel' \
        'history' \
        'backup' \
        'backup list' \
        'backup show' \
        'backup export' \
        'backup import' \
        'backup verify' \
        'backup purge' \
        'ledger' \
        'plan' \
        'create' \
        'config' \
        'sandbox' \
        'sandbox start' \
        'sandbox stop' \
        'sandbox status' \
        'sandbox seed' \
        'sandbox reset' \
        'help' \
        'version' \
        --
end

complete -c tokenfix -f
complete -c tokenfix -l config -r -F -d 'Configuration file'
complete -c tokenfix -l profile -r -f -d 'Use this profile of the configuration file'
complete -c tokenfix -l uri -r -f -d 'Connection string'
complete -c tokenfix -l uri-file -r -F -d 'File whose first line is the connection string'
complete -c tokenfix -l db -s d -r -f -d 'Database to work on'
complete -c tokenfix -l state-db -r -f -d 'Database for runs and backups'
complete -c tokenfix -l host -r -f -d 'Server, or SET/HOST:PORT,HOST:PORT for a replica set (localhost)'
complete -c tokenfix -l port -r -f -d 'Port of the server (27017)'
complete -c tokenfix -l username -s u -r -f -d 'User to authenticate as'
complete -c tokenfix -l password -s p -r -f -d 'Password'
complete -c tokenfix -l authenticationDatabase -r -f -d 'Database that holds the user'
complete -c tokenfix -l authenticationMechanism -r -f -d 'How to authenticate, e.g. SCRAM-SHA-256, MONGODB-X509'
complete -c tokenfix -l tls -d 'Connect with TLS'
complete -c tokenfix -l tlsCAFile -r -F -d 'File with the authorities to trust'
complete -c tokenfix -l tlsCertificateKeyFile -r -F -d 'File with the client\'s certificate and key'
complete -c tokenfix -l tlsCertificateKeyFilePassword -r -f -d 'Password of the client\'s key'
complete -c tokenfix -l tlsInsecure -d 'Check nothing of the server\'s certificate'
complete -c tokenfix -l tlsAllowInvalidCertificates -d 'Take a certificate from anybody'
complete -c tokenfix -l tlsAllowInvalidHostnames -d 'Take a certificate of another host'
complete -c tokenfix -l allow-insecure-tls -d 'Accept a connection on which anybody may pose as the server'
complete -c tokenfix -l allow-plaintext -d 'Connect without TLS to other machines too, on a network that is trusted entirely'
complete -c tokenfix -l timeout -r -f -d 'How long to look for a server'
complete -c tokenfix -l sign -d 'Write nothing to the audit trail that is not signed'
complete -c tokenfix -l sign-key -r -F -d 'File with the Ed25519 private key that signs what is written to the audit trail'
complete -c tokenfix -l json -d 'Print one JSON object on standard output'
complete -c tokenfix -l log-format -r -f -a 'text json' -d 'How messages are written on standard error and into --log-file'
complete -c tokenfix -l log-file -r -F -d 'Append messages to this file too, each with its time and level'
complete -c tokenfix -l log-level -r -f -a 'error warning info debug' -d 'Leave out of the log what is less grave'
complete -c tokenfix -l color -r -f -a 'auto always never' -d 'When to use colours'
complete -c tokenfix -l no-color -d 'The same as --color never'
complete -c tokenfix -l quiet -s q -d 'No progress and no notes, only results and errors'
complete -c tokenfix -l verbose -s v -d 'Say more on standard error'
complete -c tokenfix -l help -s h -d 'Show help and exit'
complete -c tokenfix -l version -d 'Show the versions and exit'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a status -d 'Show the state of a migration, and what to do next'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a preview -d 'Show what \'up\' would change, and change nothing'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a balance -d 'Show what a user has'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a audit -d 'Look for everything that is wrong with the data, and change nothing'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a validate -d 'Check every prerequisite of \'up\', and say what to do'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a up -d 'Repair the data'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a verify -d 'Prove that a run did what it says, and nothing else'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a down -d 'Take a run back'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a pause -d 'Let a run that is under way in another terminal rest'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a continue -d 'Let a paused run go on'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a cancel -d 'End a run that is under way in another terminal, for good'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a history -d 'Show the runs, or the batches and events of one'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a backup -d 'Backups of the runs'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a ledger -d 'Show the balances before a run, what it repaired, and the balances after'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a plan -d 'Show the migrations in the order of their dependencies, with what is applied'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a create -d 'Write a new migration and its test, as a starting point that works'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a config -d 'Show the values that options have, and where each came from'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a sandbox -d 'A private mongod to try things on'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a help -d 'Explain a command'
complete -c tokenfix -n '__tokenfix_at "" 0' -f -a version -d 'Show the versions of the tool, the driver and the build'
complete -c tokenfix -n '__tokenfix_at "status" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "preview"' -l limit -s n -r -f -d 'Show so many users, those with the largest amounts first'
complete -c tokenfix -n '__tokenfix_at "preview"' -l offset -r -f -d 'Leave out so many users before the first shown'
complete -c tokenfix -n '__tokenfix_at "preview"' -l sample -r -f -d 'Show so many of the documents, with secrets masked'
complete -c tokenfix -n '__tokenfix_at "preview" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "balance"' -l mint -r -f -d 'Only what this mint issued'
complete -c tokenfix -n '__tokenfix_at "balance" 1' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "audit"' -l check -r -f -d 'Only this check, or this group of checks (balance, integrity)'
complete -c tokenfix -n '__tokenfix_at "audit"' -l user -r -f -d 'Only what belongs to this user'
complete -c tokenfix -n '__tokenfix_at "audit"' -l mint -r -f -d 'Only what this mint issued'
complete -c tokenfix -n '__tokenfix_at "audit"' -l since -r -f -a '(__tokenfix_migrations)' -d 'Only documents created or changed since this run began, by their own times'
complete -c tokenfix -n '__tokenfix_at "audit"' -l limit -s n -r -f -d 'Show so many issues'
complete -c tokenfix -n '__tokenfix_at "audit"' -l offset -r -f -d 'Leave out so many issues before the first shown'
complete -c tokenfix -n '__tokenfix_at "audit"' -l format -r -f -a 'table json junit csv' -d 'How the result is written'
complete -c tokenfix -n '__tokenfix_at "audit"' -l fail-on -r -f -a 'low medium high never' -d 'The exit status is 3 where a finding is this grave'
complete -c tokenfix -n '__tokenfix_at "audit"' -l max-time -r -f -d 'Let the server work on one check so long at most'
complete -c tokenfix -n '__tokenfix_at "audit"' -l diff -d 'Tell what is new, gone, grown and shrunk since the audit before that looked at the same'
complete -c tokenfix -n '__tokenfix_at "audit"' -l keep -r -f -d 'Remove what was kept and is older than this (90d, 1y), where the user may'
complete -c tokenfix -n '__tokenfix_at "audit"' -l no-keep -d 'Do not keep what was found in the state database'
complete -c tokenfix -n '__tokenfix_at "audit"' -l every -r -f -d 'Stay, and audit again and again in this rhythm'
complete -c tokenfix -n '__tokenfix_at "audit"' -l jitter -f -d 'With --every'
complete -c tokenfix -n '__tokenfix_at "audit"' -l rounds -r -f -d 'With --every'
complete -c tokenfix -n '__tokenfix_at "audit"' -l webhook -r -f -d 'Send alerts to this address, as JSON'
complete -c tokenfix -n '__tokenfix_at "audit"' -l webhook-form -r -f -a 'json slack' -d 'What the webhook is sent'
complete -c tokenfix -n '__tokenfix_at "audit"' -l webhook-secret-file -r -F -d 'File whose first line is the secret that signs what the webhook is sent'
complete -c tokenfix -n '__tokenfix_at "audit"' -l webhook-ca-file -r -F -d 'Authorities to trust for the webhook'
complete -c tokenfix -n '__tokenfix_at "audit"' -l alert-command -r -f -d 'Run this by /bin/sh for every alert, which is on its standard input as JSON and in TOKENFIX_ALERT_... variables'
complete -c tokenfix -n '__tokenfix_at "audit"' -l alert-command-timeout -r -f -d 'End the command, with its process group, when it takes longer'
complete -c tokenfix -n '__tokenfix_at "audit"' -l alert-level -r -f -a 'low medium high' -d 'Tell what is this grave, or graver'
complete -c tokenfix -n '__tokenfix_at "audit"' -l alert-repeat -r -f -d 'Tell again, when it is still so, after this time'
complete -c tokenfix -n '__tokenfix_at "audit"' -l alert-threshold -r -f -d 'An alert of this check is high above N (of its count'
complete -c tokenfix -n '__tokenfix_at "audit"' -l alert-slow -r -f -d 'An audit, or with --every a run, that takes longer is worth an alert (medium)'
complete -c tokenfix -n '__tokenfix_at "audit"' -l alert-stuck -r -f -d 'One that takes longer is an error (high)'
complete -c tokenfix -n '__tokenfix_at "audit"' -l alert-lag -r -f -d 'With --every'
complete -c tokenfix -n '__tokenfix_at "audit"' -l alert-round-trip -r -f -d 'With --every'
complete -c tokenfix -n '__tokenfix_at "audit" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "validate"' -l strategy -r -f -a 'transaction journal' -d 'The strategy that \'up\' will be given'
complete -c tokenfix -n '__tokenfix_at "validate"' -l print-role -f -a 'run monitor audit auditor purge' -d 'Print the command that creates a least role for this database instead, and connect to nothing'
complete -c tokenfix -n '__tokenfix_at "validate" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "up"' -l confirm -d 'Do it'
complete -c tokenfix -n '__tokenfix_at "up"' -l yes -s y -d 'Do not ask for the database\'s name'
complete -c tokenfix -n '__tokenfix_at "up"' -l dry-run -d 'The same as \'preview\''
complete -c tokenfix -n '__tokenfix_at "up"' -l batch-size -r -f -d 'Repair at most so many documents in one batch'
complete -c tokenfix -n '__tokenfix_at "up"' -l workers -r -f -d 'Repair by so many workers at once'
complete -c tokenfix -n '__tokenfix_at "up"' -l strategy -r -f -a 'transaction journal' -d 'Repair each batch in a transaction, or with a journal'
complete -c tokenfix -n '__tokenfix_at "up"' -l on-error -r -f -a 'rollback stop' -d 'When an invariant fails or the server refuses a batch, take the run back or stop it where it is'
complete -c tokenfix -n '__tokenfix_at "up"' -l if-needed -d 'Succeed where there is nothing to do'
complete -c tokenfix -n '__tokenfix_at "up"' -l canary -r -f -d 'Repair so many documents, verify them and stop'
complete -c tokenfix -n '__tokenfix_at "up"' -l resume -f -a '(__tokenfix_migrations)' -d 'Go on with an interrupted run'
complete -c tokenfix -n '__tokenfix_at "up"' -l again -d 'Repair what came up since the migration was completed, in a new run'
complete -c tokenfix -n '__tokenfix_at "up"' -l take-over -d 'With --resume'
complete -c tokenfix -n '__tokenfix_at "up"' -l batch-time -r -f -d 'Cut batches so that each takes about so long'
complete -c tokenfix -n '__tokenfix_at "up"' -l max-lag -r -f -d 'Pause while the majority of the replica set, or (where replSetGetStatus is allowed) a member, is further behind'
complete -c tokenfix -n '__tokenfix_at "up"' -l max-load -r -f -d 'Pause while the number at PATH of serverStatus is LIMIT or more'
complete -c tokenfix -n '__tokenfix_at "up"' -l critical-load -r -f -d 'Stop, so that --resume goes on, when the number at PATH is LIMIT or more'
complete -c tokenfix -n '__tokenfix_at "up"' -l nice -r -f -d 'Rest after each batch, so many times as long as it took'
complete -c tokenfix -n '__tokenfix_at "up"' -l pause-file -r -F -d 'Pause while this file exists'
complete -c tokenfix -n '__tokenfix_at "up"' -l export -f -a '(__fish_complete_directories)' -d 'When the repair is done, write its backup into DIR/RUN/, by default in backups, as \'backup export\' does'
complete -c tokenfix -n '__tokenfix_at "up"' -l gzip -d 'Pack the file, as mongodump --gzip does'
complete -c tokenfix -n '__tokenfix_at "up"' -l encrypt -d 'Encrypt the file with a passphrase or a key file'
complete -c tokenfix -n '__tokenfix_at "up"' -l passphrase-file -r -F -d 'With --encrypt'
complete -c tokenfix -n '__tokenfix_at "up"' -l key-file -r -F -d 'With --encrypt, instead of a passphrase'
complete -c tokenfix -n '__tokenfix_at "up"' -l timings -d 'Show where the time went'
complete -c tokenfix -n '__tokenfix_at "up" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "verify"' -l workers -r -f -d 'Prove by so many workers at once, and by one more that waits for the balances'
complete -c tokenfix -n '__tokenfix_at "verify" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "down"' -l confirm -d 'Do it'
complete -c tokenfix -n '__tokenfix_at "down"' -l yes -s y -d 'Do not ask for the database\'s name'
complete -c tokenfix -n '__tokenfix_at "down"' -l on-conflict -r -f -a 'skip fields' -d 'What to do with a document that was changed since the repair'
complete -c tokenfix -n '__tokenfix_at "down"' -l recreate-deleted -d 'Insert documents again that were deleted since the repair'
complete -c tokenfix -n '__tokenfix_at "down"' -l resume -f -a '(__tokenfix_migrations)' -d 'Go on with an interrupted rollback'
complete -c tokenfix -n '__tokenfix_at "down"' -l take-over -d 'Do not wait until the lease of a run\'s former owner ends'
complete -c tokenfix -n '__tokenfix_at "down"' -l timings -d 'Show where the time went'
complete -c tokenfix -n '__tokenfix_at "down"' -l batch-size -r -f -d 'Restore at most so many documents in one batch'
complete -c tokenfix -n '__tokenfix_at "down"' -l workers -r -f -d 'Restore by so many workers at once'
complete -c tokenfix -n '__tokenfix_at "down"' -l strategy -r -f -a 'transaction journal' -d 'Restore each batch in a transaction, or with a journal'
complete -c tokenfix -n '__tokenfix_at "down"' -l batch-time -r -f -d 'Cut batches so that each takes about so long'
complete -c tokenfix -n '__tokenfix_at "down"' -l max-lag -r -f -d 'Pause while the majority of the replica set, or (where replSetGetStatus is allowed) a member, is further behind'
complete -c tokenfix -n '__tokenfix_at "down"' -l max-load -r -f -d 'Pause while the number at PATH of serverStatus is LIMIT or more'
complete -c tokenfix -n '__tokenfix_at "down"' -l critical-load -r -f -d 'Stop, so that --resume goes on, when the number at PATH is LIMIT or more'
complete -c tokenfix -n '__tokenfix_at "down"' -l nice -r -f -d 'Rest after each batch, so many times as long as it took'
complete -c tokenfix -n '__tokenfix_at "down"' -l pause-file -r -F -d 'Pause while this file exists'
complete -c tokenfix -n '__tokenfix_at "down" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "pause"' -l wait -r -f -d 'Wait so many seconds until the run has done what it was asked for'
complete -c tokenfix -n '__tokenfix_at "pause" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "continue"' -l wait -r -f -d 'Wait so many seconds until the run has done what it was asked for'
complete -c tokenfix -n '__tokenfix_at "continue" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "cancel"' -l wait -r -f -d 'Wait so many seconds until the run has done what it was asked for'
complete -c tokenfix -n '__tokenfix_at "cancel" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "history"' -l limit -s n -r -f -d 'Show so many runs, events, or batches of the run'
complete -c tokenfix -n '__tokenfix_at "history"' -l offset -r -f -d 'Leave out so many before the first shown'
complete -c tokenfix -n '__tokenfix_at "history"' -l events -d 'List the events of the audit trail, the newest first'
complete -c tokenfix -n '__tokenfix_at "history"' -l verify -d 'Walk the whole audit trail and name the first event that is not as it was written'
complete -c tokenfix -n '__tokenfix_at "history"' -l public-key -r -F -d 'With --verify'
complete -c tokenfix -n '__tokenfix_at "history"' -l head -r -f -d 'With --verify'
complete -c tokenfix -n '__tokenfix_at "history"' -l file -r -F -d 'With --verify'
complete -c tokenfix -n '__tokenfix_at "history"' -l export -r -F -d 'Write the audit trail into a new file, as JSON lines'
complete -c tokenfix -n '__tokenfix_at "history"' -l archive -r -F -d 'Write the old part of the audit trail into a new file, then remove it'
complete -c tokenfix -n '__tokenfix_at "history"' -l older-than -r -f -d 'With --archive'
complete -c tokenfix -n '__tokenfix_at "history"' -l make-key -r -F -d 'Make a key for --sign-key'
complete -c tokenfix -n '__tokenfix_at "history"' -l confirm -d 'With --archive'
complete -c tokenfix -n '__tokenfix_at "history"' -l yes -s y -d 'With --archive'
complete -c tokenfix -n '__tokenfix_at "history" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "backup" 0' -f -a list -d 'List the backups of the runs, and where they are'
complete -c tokenfix -n '__tokenfix_at "backup" 0' -f -a show -d 'Show the backup of one run, or what the manifest of an exported one says'
complete -c tokenfix -n '__tokenfix_at "backup" 0' -f -a export -d 'Write the backup of a run into files that mongorestore reads'
complete -c tokenfix -n '__tokenfix_at "backup" 0' -f -a import -d 'Bring the backup of a run back from files, so that \'down\' works'
complete -c tokenfix -n '__tokenfix_at "backup" 0' -f -a verify -d 'Examine an exported backup, without a server'
complete -c tokenfix -n '__tokenfix_at "backup" 0' -f -a purge -d 'Remove the backup of a run that nobody needs any more'
complete -c tokenfix -n '__tokenfix_at "backup list"' -l dir -r -f -a '(__fish_complete_directories)' -d 'Where exported backups are looked for'
complete -c tokenfix -n '__tokenfix_at "backup list"' -l files -d 'Only the exported backups in DIR, without a server'
complete -c tokenfix -n '__tokenfix_at "backup list"' -l limit -s n -r -f -d 'Show so many runs'
complete -c tokenfix -n '__tokenfix_at "backup show"' -l dir -r -f -a '(__fish_complete_directories)' -d 'Where exported backups are looked for'
complete -c tokenfix -n '__tokenfix_at "backup export"' -l out -s o -r -f -a '(__fish_complete_directories)' -d 'Folder in which the run\'s folder is made'
complete -c tokenfix -n '__tokenfix_at "backup export"' -l gzip -d 'Pack the file, as mongodump --gzip does'
complete -c tokenfix -n '__tokenfix_at "backup export"' -l encrypt -d 'Encrypt the file with a passphrase or a key file'
complete -c tokenfix -n '__tokenfix_at "backup export"' -l passphrase-file -r -F -d 'With --encrypt'
complete -c tokenfix -n '__tokenfix_at "backup export"' -l key-file -r -F -d 'With --encrypt, instead of a passphrase'
complete -c tokenfix -n '__tokenfix_at "backup export" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "backup import"' -l dir -r -f -a '(__fish_complete_directories)' -d 'Where exported backups are looked for'
complete -c tokenfix -n '__tokenfix_at "backup import"' -l dry-run -d 'Compare file and records, and write nothing'
complete -c tokenfix -n '__tokenfix_at "backup import"' -l passphrase-file -r -F -d 'File whose first line is the passphrase'
complete -c tokenfix -n '__tokenfix_at "backup import"' -l key-file -r -F -d 'Instead of a passphrase a file of at least 32 random bytes'
complete -c tokenfix -n '__tokenfix_at "backup verify"' -l dir -r -f -a '(__fish_complete_directories)' -d 'Where exported backups are looked for'
complete -c tokenfix -n '__tokenfix_at "backup verify"' -l passphrase-file -r -F -d 'File whose first line is the passphrase'
complete -c tokenfix -n '__tokenfix_at "backup verify"' -l key-file -r -F -d 'Instead of a passphrase a file of at least 32 random bytes'
complete -c tokenfix -n '__tokenfix_at "backup purge"' -l dir -r -f -a '(__fish_complete_directories)' -d 'Where exported backups are looked for'
complete -c tokenfix -n '__tokenfix_at "backup purge"' -l files -d 'Remove the exported files in DIR, too'
complete -c tokenfix -n '__tokenfix_at "backup purge"' -l force -d 'Also where the run can still be needed'
complete -c tokenfix -n '__tokenfix_at "backup purge"' -l confirm -d 'Do it'
complete -c tokenfix -n '__tokenfix_at "backup purge"' -l yes -s y -d 'Do not ask for the database\'s name'
complete -c tokenfix -n '__tokenfix_at "backup purge" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "ledger"' -l user -f -d 'A line for each user, with all mints together'
complete -c tokenfix -n '__tokenfix_at "ledger"' -l format -r -f -a 'table csv json' -d 'How it is written'
complete -c tokenfix -n '__tokenfix_at "ledger" 0' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "ledger" 1' -f -a '(__tokenfix_migrations)'
complete -c tokenfix -n '__tokenfix_at "plan"' -l check -d 'Exit with 3 when some are pending'
complete -c tokenfix -n '__tokenfix_at "create"' -l dir -r -f -a '(__fish_complete_directories)' -d 'The project\'s folder'
complete -c tokenfix -n '__tokenfix_at "config"' -l all -d 'Show the options that have no value too'
complete -c tokenfix -n '__tokenfix_at "sandbox" 0' -f -a start -d 'Start a sandbox and print its connection string'
complete -c tokenfix -n '__tokenfix_at "sandbox" 0' -f -a stop -d 'End exactly the processes that were started for a sandbox'
complete -c tokenfix -n '__tokenfix_at "sandbox" 0' -f -a status -d 'List the sandboxes, their processes and connection strings'
complete -c tokenfix -n '__tokenfix_at "sandbox" 0' -f -a seed -d 'Fill a running sandbox with sample wallets and tokens'
complete -c tokenfix -n '__tokenfix_at "sandbox" 0' -f -a reset -d 'Empty a sandbox'
complete -c tokenfix -n '__tokenfix_at "sandbox start"' -l name -r -f -d 'The sandbox'
complete -c tokenfix -n '__tokenfix_at "sandbox start"' -l nodes -r -f -d 'Members of the replica set, 1 or 3'
complete -c tokenfix -n '__tokenfix_at "sandbox start"' -l standalone -d 'A single server without a replica set'
complete -c tokenfix -n '__tokenfix_at "sandbox start"' -l auth -d 'With access control'
complete -c tokenfix -n '__tokenfix_at "sandbox start"' -l mongod -r -F -d 'The mongod to start'
complete -c tokenfix -n '__tokenfix_at "sandbox start"' -l cache-mb -r -f -d 'Cache of each member in MB'
complete -c tokenfix -n '__tokenfix_at "sandbox start"' -l set-parameter -r -f -d 'A parameter of the server'
complete -c tokenfix -n '__tokenfix_at "sandbox stop"' -l name -r -f -d 'The sandbox'
complete -c tokenfix -n '__tokenfix_at "sandbox stop"' -l remove -d 'Delete its data too'
complete -c tokenfix -n '__tokenfix_at "sandbox status"' -l name -r -f -d 'Only this sandbox'
complete -c tokenfix -n '__tokenfix_at "sandbox seed"' -l name -r -f -d 'The sandbox to fill'
complete -c tokenfix -n '__tokenfix_at "sandbox seed"' -l tokens -r -f -d 'Tokens to write'
complete -c tokenfix -n '__tokenfix_at "sandbox seed"' -l users -r -f -d 'Users who own them'
complete -c tokenfix -n '__tokenfix_at "sandbox seed"' -l defects -r -f -d 'Percent of the tokens that are melted and unspent'
complete -c tokenfix -n '__tokenfix_at "sandbox seed"' -l seed -r -f -d 'The same seed and sizes give the same documents'
complete -c tokenfix -n '__tokenfix_at "sandbox seed"' -l indexes -r -f -a '8 12 none' -d 'The indexes of the application\'s model, all of production, or none'
complete -c tokenfix -n '__tokenfix_at "sandbox seed"' -l with-findings -d 'Besides, plant every finding of an audit in numbers that follow from the seed, and print them'
complete -c tokenfix -n '__tokenfix_at "sandbox reset"' -l name -r -f -d 'The sandbox'
complete -c tokenfix -n '__tokenfix_at "help"' -l format -r -f -a 'text man man-conf bash zsh fish' -d 'Write for people'
complete -c tokenfix -n '__tokenfix_at "help"' -l list -r -f -a 'commands migrations' -d 'Only list names, one a line'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a status -d 'Show the state of a migration, and what to do next'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a preview -d 'Show what \'up\' would change, and change nothing'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a balance -d 'Show what a user has'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a audit -d 'Look for everything that is wrong with the data, and change nothing'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a validate -d 'Check every prerequisite of \'up\', and say what to do'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a up -d 'Repair the data'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a verify -d 'Prove that a run did what it says, and nothing else'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a down -d 'Take a run back'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a pause -d 'Let a run that is under way in another terminal rest'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a continue -d 'Let a paused run go on'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a cancel -d 'End a run that is under way in another terminal, for good'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a history -d 'Show the runs, or the batches and events of one'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a backup -d 'Backups of the runs'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a ledger -d 'Show the balances before a run, what it repaired, and the balances after'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a plan -d 'Show the migrations in the order of their dependencies, with what is applied'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a create -d 'Write a new migration and its test, as a starting point that works'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a config -d 'Show the values that options have, and where each came from'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a sandbox -d 'A private mongod to try things on'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a help -d 'Explain a command'
complete -c tokenfix -n '__tokenfix_at "help" 0' -f -a version -d 'Show the versions of the tool, the driver and the build'
complete -c tokenfix -n '__tokenfix_at "help" 1; and contains backup (commandline -opc)' -f -a list -d 'List the backups of the runs, and where they are'
complete -c tokenfix -n '__tokenfix_at "help" 1; and contains backup (commandline -opc)' -f -a show -d 'Show the backup of one run, or what the manifest of an exported one says'
complete -c tokenfix -n '__tokenfix_at "help" 1; and contains backup (commandline -opc)' -f -a export -d 'Write the backup of a run into files that mongorestore reads'
complete -c tokenfix -n '__tokenfix_at "help" 1; and contains backup (commandline -opc)' -f -a import -d 'Bring the backup of a run back from files, so that \'down\' works'
complete -c tokenfix -n '__tokenfix_at "help" 1; and contains backup (commandline -opc)' -f -a verify -d 'Examine an exported backup, without a server'
complete -c tokenfix -n '__tokenfix_at "help" 1; and contains backup (commandline -opc)' -f -a purge -d 'Remove the backup of a run that nobody needs any more'
complete -c tokenfix -n '__tokenfix_at "help" 1; and contains sandbox (commandline -opc)' -f -a start -d 'Start a sandbox and print its connection string'
complete -c tokenfix -n '__tokenfix_at "help" 1; and contains sandbox (commandline -opc)' -f -a stop -d 'End exactly the processes that were started for a sandbox'
complete -c tokenfix -n '__tokenfix_at "help" 1; and contains sandbox (commandline -opc)' -f -a status -d 'List the sandboxes, their processes and connection strings'
complete -c tokenfix -n '__tokenfix_at "help" 1; and contains sandbox (commandline -opc)' -f -a seed -d 'Fill a running sandbox with sample wallets and tokens'
complete -c tokenfix -n '__tokenfix_at "help" 1; and contains sandbox (commandline -opc)' -f -a reset -d 'Empty a sandbox'
