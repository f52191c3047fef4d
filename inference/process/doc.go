// Package process answers from a server command: llama-server, vLLM, or
// whatever else serves its models over HTTP or a unix socket.
//
// A [Process] starts the command when somebody asks, waits until it is healthy,
// stops it when nobody has asked for a while or its memory is needed for
// another, and starts it again when somebody asks after it has died. It is a
// [chat.Model]; how the server is spoken with is up to [Config.Client].
//
// What it promises:
//
//   - The command is started once for all who ask at the same time. One of them
//     who leaves does not stop it for the others.
//   - It is never stopped while somebody waits for it or is being answered,
//     except at Close.
//   - A server that dies ends the answers it was giving with an error within a
//     second. One that keeps dying is left alone for longer each time, and who
//     asks meanwhile is refused at once.
//   - The command runs without a shell, in a process group of its own, and sees
//     of the gateway's environment what a program needs to run and what
//     [Config.Pass] names. Stopping it is SIGTERM to the group, and after
//     StopTimeout SIGKILL.
//   - On Linux the command gets SIGKILL when the gateway ends, however that comes
//     about. Its own children do not: the kernel tells only a direct child, so
//     that after a SIGKILL of the gateway they are left unless they notice by
//     themselves. Nor can anything be done about a child that has left the group.
//   - Whatever it writes is read, in lines of bounded length. Until it is
//     healthy that is logged at debug, and its last lines tell why it did not
//     get there. From then on lines may repeat what users have asked, so they
//     are dropped unless [Config.LogAll] says otherwise.
//
// It cannot keep a port for a server that binds it itself. A free one is
// chosen, and another when somebody took it meanwhile; a socket, in a folder
// that only this user may enter, has no such gap and nobody else can connect to
// it. It does not notice a server that lives and hangs after it was healthy:
// that is up to whoever waits for the answer.
package process
