internal import StackmeterCommand

@main
enum Program {
  static func main() async {
    await RootCommand.runProgram()
  }
}
